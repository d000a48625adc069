import { type Attribute, type Attributes, int, intAttribute, ints, type Node } from './ir.ts';
import type { GraphWriter } from './writer.ts';

/** The activations that the gradient rules are written for, by operator. */
const activations: Readonly<Record<string, readonly string[]>> = {
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  RNN: ['Tanh'],
};

/** Whether an operator runs along a sequence: LSTM, GRU, RNN. */
export function isRecurrent(op: string): boolean {
  return Object.hasOwn(activations, op);
}

/** Whether a plain recurrent layer has ReLU, in all its directions, in place of tanh. */
export function hasRelu({ attributes: { activations: given } }: Pick<Node, 'attributes'>): boolean {
  return given?.kind === 'strings' && given.value.every((name) => name === 'Relu');
}

/** Why a recurrent node cannot be trained, if it cannot. */
export function recurrentProblem({ op, inputs, attributes }: Node): string | undefined {
  if (op === 'LSTM' && inputs[7]) return 'peephole weights (input 7) have no gradient; export a plain LSTM';
  if (attributes.clip) return "attribute 'clip' has no gradient; export the layer without it";
  if (intAttribute({ attributes }, 'input_forget', 0) === 1)
    return 'coupled input and forget gates (input_forget) have no gradient';
  const given = attributes.activations;
  if (op === 'RNN' && hasRelu({ attributes })) return undefined;
  const usual = activations[op] ?? [];
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
export function writeRecurrent(
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
