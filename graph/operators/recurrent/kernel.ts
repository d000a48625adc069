import { knownCount } from '../../dims.ts';
import {
  type Attribute,
  type Attributes,
  type Dim,
  int,
  intAttribute,
  ints,
  type Node,
  stringAttribute,
} from '../../ir.ts';
import type { GraphWriter } from '../../writer.ts';
import type { GradientRule, Multiplications, Operator } from '../operator.ts';
import type { ShapeRule } from '../shape-rule.ts';

/**
 * The entry of LSTM, GRU or RNN, which have inputs, outputs and variants in common.
 * @param activations those that the gradient is written for
 */
export function recurrentOperator(
  op: 'LSTM' | 'GRU' | 'RNN',
  activations: readonly string[],
  write: GradientRule['write'],
): Operator {
  return {
    op,
    infer: recurrentTypes,
    gradient: { reads: ['x0', 'x1', 'x2', 'y0'], write },
    problem: (node) => recurrentProblem(node, activations),
    respell: writeRecurrent,
    multiplications: recurrentMultiplications,
  };
}

/** Outputs of LSTM, GRU and RNN: all hidden states [T, D, B, H], then the last hidden (and cell) state [D, B, H]. */
const recurrentTypes: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  if (shape.length !== 3) throw context.fail(`input 0 has shape [${shape}]; it must be [steps, batch, features]`);
  const [steps, batch] = shape as [Dim, Dim, Dim];
  const directions = stringAttribute(context.node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
  const hidden = intAttribute(context.node, 'hidden_size', Number(context.input(2).shape.at(-1)));
  const last = { dtype, shape: [directions, batch, hidden] };
  return { types: [{ dtype, shape: [steps, directions, batch, hidden] }, last, last] };
};

/** Of the input and the hidden state with the weights of all gates, in every step. */
const recurrentMultiplications: Multiplications = ({ inputs, outputs }, shapeOf) => {
  const [rows, features] = shapeOf(inputs[1]!).slice(-2);
  const output = shapeOf(outputs[0]!);
  const hidden = output.at(-1)!;
  const gates = knownCount([rows!]) / knownCount([hidden]);
  return knownCount(output) * gates * (knownCount([features!]) + knownCount([hidden]));
};

/** Whether a plain recurrent layer has ReLU, in all its directions, in place of tanh. */
export function hasRelu({ attributes: { activations: given } }: Pick<Node, 'attributes'>): boolean {
  return given?.kind === 'strings' && given.value.every((name) => name === 'Relu');
}

/** Why a recurrent node cannot be trained, if it cannot. */
function recurrentProblem({ op, inputs, attributes }: Node, usual: readonly string[]): string | undefined {
  if (op === 'LSTM' && inputs[7]) return 'peephole weights (input 7) have no gradient; export a plain LSTM';
  if (attributes.clip) return "attribute 'clip' has no gradient; export the layer without it";
  if (intAttribute({ attributes }, 'input_forget', 0) === 1)
    return 'coupled input and forget gates (input_forget) have no gradient';
  const given = attributes.activations;
  if (op === 'RNN' && hasRelu({ attributes })) return undefined;
  if (given?.kind === 'strings' && given.value.some((name, i) => name !== usual[i % usual.length]))
    return `activations ${given.value.join(', ')} have no gradient; only ${usual.join(', ')} can be trained`;
  return undefined;
}

/** Outputs with the batch behind the directions (layout 0) and in front (layout 1). */
const turned: readonly (readonly number[])[] = [
  [2, 0, 1, 3],
  [1, 0, 2],
  [1, 0, 2],
];

/** Writes a recurrent node; one with the batch in front (layout 1), which onnxruntime does not run, between transposes. */
function writeRecurrent(
  b: GraphWriter,
  node: Node,
  inputs: readonly string[],
  attributes: Attributes,
): readonly string[] {
  const options = { outputs: Math.max(1, node.outputs.length), name: b.has(node.name) ? undefined : node.name };
  if (intAttribute(node, 'layout', 0) === 0) return b.node(node.op, inputs, attributes, options);
  const swap = (value: string, perm: readonly number[]) => b.op('Transpose', [value], { perm: ints(perm) });
  const swapped = inputs.map((input, i) => (input && (i === 0 || i === 5 || i === 6) ? swap(input, [1, 0, 2]) : input));
  const plain: Record<string, Attribute> = { ...attributes, layout: int(0) };
  return b.node(node.op, swapped, plain, options).map((output, i) => swap(output, turned[i]!));
}
