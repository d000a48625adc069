import { add, matMul, mul } from '../../expressions.ts';
import { int } from '../../ir.ts';
import type { Operator } from '../operator.ts';
import { hasRelu, recurrentOperator } from './kernel.ts';
import {
  type Direction,
  type DirectionGradients,
  masked,
  passedThrough,
  rawGates,
  recurrentGradients,
  scanSteps,
  tanhSlope,
  weightGradient,
} from './sequence.ts';

/** h = φ(X·Wᵀ + h₋·Rᵀ + b), φ tanh or ReLU. */
function directionGradients(direction: Direction, relu: boolean): DirectionGradients {
  const { b, dy, dLast, r, before } = direction;
  const raw = rawGates(direction);
  const plain = relu
    ? b.op('Cast', [b.op('Greater', [raw, b.scalar(0)])], { to: int(1) })
    : tanhSlope(b, b.op('Tanh', [raw]));
  const slope = masked(direction, plain);
  const { states, rows } = scanSteps(
    direction,
    true,
    'rnn_gradient',
    [dLast],
    [dy, slope, ...passedThrough(direction)],
    (body, [dh], [dyRow, slopeRow, endedRow]) => {
      const hidden = add(body, dh!, dyRow!);
      const gates = mul(body, hidden, slopeRow!);
      const back = matMul(body, gates, r);
      return { states: [endedRow ? add(body, back, mul(body, hidden, endedRow)) : back], row: gates };
    },
  );
  return { gates: rows, r: () => weightGradient(b, rows, before), initial: new Map([[5, states[0]!]]) };
}

export const rnn: Operator = recurrentOperator('RNN', ['Tanh'], (context) => {
  const relu = hasRelu(context.node);
  return recurrentGradients(context, 1, (direction) => directionGradients(direction, relu));
});
