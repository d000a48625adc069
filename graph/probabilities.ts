import { intAttribute, type Model, type Node } from './ir.ts';
import type { LossSpec } from './losses/spec.ts';

/** What an output makes probabilities of, and how. */
export interface Probabilities {
  /** The value that its Softmax or Sigmoid reads. */
  readonly of: string;
  readonly op: string;
}

/**
 * The logits behind an output that gives probabilities, as models from hubs and from Keras do: a loss that takes logits would take the softmax
 * of a softmax.
 * @returns undefined where the output is what the loss takes, as far as its last node tells
 */
export function probabilitiesOf(
  { graph, opset }: Model,
  output: string,
  kind: LossSpec['kind'],
): Probabilities | undefined {
  const rank = graph.outputs.find(({ name }) => name === output)?.shape.length ?? 0;
  const wanted = kind === 'bce' ? 'Sigmoid' : kind === 'cross-entropy' || kind === 'ctc' ? 'Softmax' : undefined;
  const node = lastNode(graph.nodes, output);
  if (!node || node.op !== wanted) return undefined;
  const axis = intAttribute(node, 'axis', opset < 13 ? 1 : -1);
  // Up to operator set 12 a softmax from the second axis on took all axes behind it, too.
  const isOfClasses = axis === -1 || axis === rank - 1 || (kind === 'cross-entropy' && axis === 1 && opset >= 13);
  return node.op === 'Sigmoid' || isOfClasses ? { of: node.inputs[0]!, op: node.op } : undefined;
}

/** The node that a value comes from, behind nodes that change nothing. */
function lastNode(nodes: readonly Node[], value: string): Node | undefined {
  const node = nodes.find(({ outputs }) => outputs.includes(value));
  return node?.op === 'Identity' ? lastNode(nodes, node.inputs[0]!) : node;
}
