import { add, matMul, mul } from '../../expressions.ts';
import { int } from '../../ir.ts';
import type { GradientContext, Operator } from '../operator.ts';
import { recurrentOperator } from './kernel.ts';
import {
  carriedThrough,
  type Direction,
  type DirectionGradients,
  masked,
  passedThrough,
  rawGates,
  recurrentGradients,
  scanSteps,
  sigmoidSlope,
  splitGates,
  tanhSlope,
  weightGradient,
} from './sequence.ts';

/**
 * i, o, f = σ(…), g = tanh(X·Wᵀ + H·Rᵀ + b), c = f ∘ c₋ + i ∘ g, h = o ∘ tanh c. The forward kernel puts out h alone; the gates of all steps
 * follow from it in two products, the cell states from a scan without any. Backwards, with the slopes of all steps worked out
 * beforehand, a step is one product: from the gradient of its gates to that of the state before.
 */
function directionGradients(direction: Direction, context: GradientContext): DirectionGradients {
  const { b, dy, dLast, state, r } = direction;
  const [rawInput, rawOutput, rawForget, rawCell] = splitGates(direction, rawGates(direction)) as [
    string,
    string,
    string,
    string,
  ];
  const [i, o, f] = [rawInput, rawOutput, rawForget].map((raw) => b.op('Sigmoid', [raw])) as [string, string, string];
  const g = b.op('Tanh', [rawCell]);
  const kept = carriedThrough(direction, f);
  const added = masked(direction, mul(b, i, g));
  const before = cellStatesBefore(direction, state(context.node.inputs[6]), kept, added);
  const squashed = b.op('Tanh', [add(b, mul(b, kept, before), added)]);
  const slopes = b.op(
    'Concat',
    [
      mul(b, g, sigmoidSlope(b, i)),
      mul(b, squashed, sigmoidSlope(b, o)),
      mul(b, before, sigmoidSlope(b, f)),
      mul(b, i, tanhSlope(b, g)),
    ].map((slope) => masked(direction, slope)),
    { axis: int(2) },
  );
  const own = masked(direction, mul(b, o, tanhSlope(b, squashed)));
  const { states: first, rows } = scanSteps(
    direction,
    true,
    'lstm_gradient',
    [dLast, state(context.dys[2])],
    [dy, own, slopes, kept, ...passedThrough(direction)],
    (body, [dh, dc], [dyRow, ownRow, slopeRow, keptRow, endedRow]) => {
      const hidden = add(body, dh!, dyRow!);
      const cell = add(body, dc!, mul(body, hidden, ownRow!));
      const gates = mul(body, body.op('Concat', [cell, hidden, cell, cell], { axis: int(1) }), slopeRow!);
      const back = matMul(body, gates, r);
      const before = endedRow ? add(body, back, mul(body, hidden, endedRow)) : back;
      return { states: [before, mul(body, cell, keptRow!)], row: gates };
    },
  );
  return {
    gates: rows,
    r: () => weightGradient(b, rows, direction.before),
    initial: new Map([
      [5, first[0]!],
      [6, first[1]!],
    ]),
  };
}

/** The cell state before each step [T, B, H]. */
function cellStatesBefore(direction: Direction, first: string, kept: string, added: string): string {
  return scanSteps(direction, false, 'lstm_cells', [first], [kept, added], (body, [cell], [keptRow, addedRow]) => ({
    states: [add(body, mul(body, cell!, keptRow!), addedRow!)],
    row: cell!,
  })).rows;
}

export const lstm: Operator = recurrentOperator('LSTM', ['Sigmoid', 'Tanh', 'Tanh'], (context) =>
  recurrentGradients(context, 4, (direction) => directionGradients(direction, context)),
);
