import { add, matMul, mul, sub } from '../../expressions.ts';
import { int, intAttribute } from '../../ir.ts';
import type { Operator } from '../operator.ts';
import { recurrentOperator } from './kernel.ts';
import {
  carriedThrough,
  type Direction,
  type DirectionGradients,
  inputPart,
  linear,
  masked,
  oneMinus,
  recurrentGradients,
  scanSteps,
  sigmoidSlope,
  splitGates,
  tanhSlope,
  weightGradient,
} from './sequence.ts';

/** The gates of all steps, and the gradients of each before its activation per unit of the hidden state's gradient. */
interface Gates {
  readonly z: string;
  readonly r: string;
  /** ∂h/∂z and ∂h/∂n before σ and tanh. */
  readonly slopeZ: string;
  readonly slopeN: string;
}

/** From the arguments of z, r and n (a function of r) to gates and slopes: h = (1 − z) ∘ n + z ∘ h₋. */
function gatesOf(direction: Direction, rawZ: string, rawR: string, rawN: (r: string) => string): Gates {
  const { b, before } = direction;
  const z = b.op('Sigmoid', [rawZ]);
  const r = b.op('Sigmoid', [rawR]);
  const n = b.op('Tanh', [rawN(r)]);
  return {
    z: carriedThrough(direction, z),
    r,
    slopeZ: masked(direction, mul(b, sub(b, before, n), sigmoidSlope(b, z))),
    slopeN: masked(direction, mul(b, oneMinus(b, z), tanhSlope(b, n))),
  };
}

/** n = tanh(X·Wₙᵀ + b + r ∘ (h₋·Rₙᵀ + b′)), as PyTorch has it: the reset gate acts behind the product. */
function resetAfter(direction: Direction): DirectionGradients {
  const { b, r: weight, before, recurrentBias, dy, dLast } = direction;
  const input = splitGates(direction, inputPart(direction));
  const recurrent = splitGates(direction, linear(b, before, weight, recurrentBias));
  const sum = (gate: number) => add(b, input[gate]!, recurrent[gate]!);
  const { z, r, slopeZ, slopeN } = gatesOf(direction, sum(0), sum(1), (reset) =>
    add(b, input[2]!, mul(b, reset, recurrent[2]!)),
  );
  const slopeR = mul(b, mul(b, slopeN, recurrent[2]!), sigmoidSlope(b, r));
  const recurrentSlopes = [slopeZ, slopeR, mul(b, slopeN, r)];
  const slopes = b.op('Concat', recurrentSlopes, { axis: int(2) });
  const { states, rows } = scanSteps(
    direction,
    true,
    'gru_gradient',
    [dLast],
    [dy, slopes, z],
    (body, [dh], [dyRow, slopeRow, zRow]) => {
      const hidden = add(body, dh!, dyRow!);
      const gates = mul(body, body.op('Concat', [hidden, hidden, hidden], { axis: int(1) }), slopeRow!);
      return { states: [add(body, mul(body, hidden, zRow!), matMul(body, gates, weight))], row: hidden };
    },
  );
  const along = (parts: readonly string[]) =>
    b.op(
      'Concat',
      parts.map((slope) => mul(b, rows, slope)),
      { axis: int(2) },
    );
  const recurrentGates = along(recurrentSlopes);
  return {
    gates: along([slopeZ, slopeR, slopeN]),
    recurrentGates,
    r: () => weightGradient(b, recurrentGates, before),
    initial: new Map([[5, states[0]!]]),
  };
}

/** n = tanh(X·Wₙᵀ + b + (r ∘ h₋)·Rₙᵀ + b′): the reset gate acts on the state. */
function resetBefore(direction: Direction): DirectionGradients {
  const { b, r: weight, before, recurrentBias, dy, dLast, hidden: width } = direction;
  const cut = (value: string, from: number, to: number) =>
    b.op('Slice', [value, b.axes([from * width]), b.axes([to * width]), b.axes([0])]);
  const [weightZR, weightN] = [cut(weight, 0, 2), cut(weight, 2, 3)];
  const [biasZR, biasN] = recurrentBias ? [cut(recurrentBias, 0, 2), cut(recurrentBias, 2, 3)] : [];
  const input = splitGates(direction, inputPart(direction));
  const recurrent = b.node(
    'Split',
    [linear(b, before, weightZR, biasZR)],
    { axis: int(2), num_outputs: int(2) },
    { outputs: 2 },
  );
  const sum = (gate: number) => add(b, input[gate]!, recurrent[gate]!);
  const { z, r, slopeZ, slopeN } = gatesOf(direction, sum(0), sum(1), (reset) =>
    add(b, input[2]!, linear(b, mul(b, reset, before), weightN, biasN)),
  );
  /** Per unit of the gradient of r ∘ h₋. */
  const slopeR = mul(b, before, sigmoidSlope(b, r));
  const sequences = [dy, slopeZ, slopeN, slopeR, r, z];
  const { states, rows } = scanSteps(
    direction,
    true,
    'gru_gradient',
    [dLast],
    sequences,
    (body, [dh], [dyRow, slopeZRow, slopeNRow, slopeRRow, rRow, zRow]) => {
      const hidden = add(body, dh!, dyRow!);
      const reset = matMul(body, mul(body, hidden, slopeNRow!), weightN);
      const gates = body.op('Concat', [mul(body, hidden, slopeZRow!), mul(body, reset, slopeRRow!)], { axis: int(1) });
      const direct = add(body, mul(body, hidden, zRow!), mul(body, reset, rRow!));
      return { states: [add(body, direct, matMul(body, gates, weightZR))], row: hidden };
    },
  );
  const [dz, dn] = [mul(b, rows, slopeZ), mul(b, rows, slopeN)];
  const dr = mul(b, matMul(b, dn, weightN), slopeR);
  return {
    gates: b.op('Concat', [dz, dr, dn], { axis: int(2) }),
    r: () => {
      const zr = weightGradient(b, b.op('Concat', [dz, dr], { axis: int(2) }), before);
      return b.op('Concat', [zr, weightGradient(b, dn, mul(b, r, before))], { axis: int(0) });
    },
    initial: new Map([[5, states[0]!]]),
  };
}

export const gru: Operator = recurrentOperator('GRU', ['Sigmoid', 'Tanh'], (context) => {
  const rule = intAttribute(context.node, 'linear_before_reset', 0) === 1 ? resetAfter : resetBefore;
  return recurrentGradients(context, 3, rule);
});
