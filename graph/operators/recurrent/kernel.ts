import { knownCount } from '../../dims.ts';
import { type Dim, intAttribute, stringAttribute } from '../../ir.ts';
import type { Multiplications } from '../operator.ts';
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

/** Of the input and the hidden state with the weights of all gates, in every step. */
export const recurrentMultiplications: Multiplications = ({ inputs, outputs }, shapeOf) => {
  const [rows, features] = shapeOf(inputs[1]!).slice(-2);
  const output = shapeOf(outputs[0]!);
  const hidden = output.at(-1)!;
  const gates = knownCount([rows!]) / knownCount([hidden]);
  return knownCount(output) * gates * (knownCount([features!]) + knownCount([hidden]));
};
