import { add, type GradientRule, matMul, mul } from '../rule.ts';
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

/** h = tanh(X·Wᵀ + h₋·Rᵀ + b) */
function directionGradients(direction: Direction): DirectionGradients {
  const { b, dy, dLast, r, before } = direction;
  const slope = masked(direction, tanhSlope(b, b.op('Tanh', [rawGates(direction)])));
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

export const rnnRule: GradientRule = {
  op: 'RNN',
  reads: ['x0', 'x1', 'x2', 'y0'],
  gradient: (context) => recurrentGradients(context, 1, directionGradients),
};
