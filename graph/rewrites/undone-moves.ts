import type { GraphBuilder } from '../builder.ts';
import { type Dim, intAttribute, intsAttribute, type Node } from '../ir.ts';
import { normaliseAxis } from '../operators/shape-rule.ts';
import { renamed } from './rename.ts';
import type { Rewrite } from './rewrite.ts';

/**
 * Takes out reshapes and transposes that undo each other, as they come about where one rule cannot know what another has written: a
 * reshape of a reshape is one reshape, one to the shape that is there already is none, nor are two transposes that together move nothing.
 * An Identity moves nothing to begin with, and what is split again where it was concatenated is what it was before.
 */
export const removeUndoneMoves: Rewrite = (b, outputs) => {
  const kept = new Set(outputs);
  const producers = new Map<string, Node>();
  const names = new Map<string, string>();
  for (const original of b.nodes.splice(0)) {
    const node = direct(renamed(original, names), producers, b);
    const source = unmoved(node, producers, b);
    const sources = source === undefined ? splitAgain(node, producers, b) : [source];
    if (sources && !node.outputs.some((name) => kept.has(name))) {
      for (const [i, name] of node.outputs.entries()) names.set(name, sources[i]!);
      continue;
    }
    for (const name of node.outputs) producers.set(name, node);
    b.nodes.push(node);
  }
};

/** A reshape reads what was there before another. */
function direct(node: Node, producers: ReadonlyMap<string, Node>, b: GraphBuilder): Node {
  const before = node.op === 'Reshape' ? producers.get(node.inputs[0]!) : undefined;
  // A 0 stands for a size of the value that is reshaped.
  if (before?.op !== 'Reshape' || !b.knownIntegers(node.inputs[1]!)?.every((size) => size !== 0)) return node;
  return { ...node, inputs: [before.inputs[0]!, node.inputs[1]!] };
}

/** The value that a node gives on as it is. */
function unmoved(node: Node, producers: ReadonlyMap<string, Node>, b: GraphBuilder): string | undefined {
  const [input] = node.inputs;
  if (node.op === 'Identity') return input;
  if (node.op === 'Reshape') return equalSizes(b.shape(input!), b.shape(node.outputs[0]!)) ? input : undefined;
  const before = node.op === 'Transpose' ? producers.get(input!) : undefined;
  if (before?.op !== 'Transpose') return undefined;
  const [first, second] = [intsAttribute(before, 'perm'), intsAttribute(node, 'perm')];
  return first && second?.every((axis, i) => first[axis] === i) ? before.inputs[0] : undefined;
}

/** The values that a node splits at the places where they were concatenated. */
function splitAgain(node: Node, producers: ReadonlyMap<string, Node>, b: GraphBuilder): readonly string[] | undefined {
  const before = node.op === 'Split' ? producers.get(node.inputs[0]!) : undefined;
  if (before?.op !== 'Concat' || before.inputs.length !== node.outputs.length) return undefined;
  const axisOf = (of: Node) => normaliseAxis(intAttribute(of, 'axis', 0), b.rank(node.inputs[0]!));
  const same = before.inputs.every((part, i) => equalSizes(b.shape(part), b.shape(node.outputs[i]!)));
  return same && axisOf(before) === axisOf(node) ? before.inputs : undefined;
}

function equalSizes(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((size, i) => typeof size === 'number' && size === b[i]);
}
