import { type Dim, intAttribute, stringAttribute } from '../../ir.ts';
import type { ShapeRule } from '../shape-rule.ts';

/** Outputs of LSTM, GRU and RNN: all hidden states [T, D, B, H], then the last hidden (and cell) state [D, B, H]. */
export const recurrentTypes: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  if (shape.length !== 3) throw context.fail(`input 0 has shape [${shape}]; it must be [steps, batch, features]`);
  const [steps, batch] = shape as [Dim, Dim, Dim];
  const directions = stringAttribute(context.node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
  const hidden = intAttribute(context.node, 'hidden_size', Number(context.input(2).shape.at(-1)));
  const last = { dtype, shape: [directions, batch, hidden] };
  return { types: [{ dtype, shape: [steps, directions, batch, hidden] }, last, last] };
};
