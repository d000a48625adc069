import { ModelError } from '../errors.ts';
import type { GraphBuilder } from './builder.ts';
import { int, intAttribute, type Node } from './ir.ts';
import { normaliseAxis } from './operators/shape-rule.ts';

/** What a node on sequences of tensors sees: names of the values, and of the elements of each sequence so far. */
interface SequenceContext {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly input: (index: number) => string;
  readonly elements: (index: number) => readonly string[];
  readonly fail: (why: string) => ModelError;
}

/** Exporters take tensors apart and put them together through sequences. Their lengths are known, so that lists of names do. */
const writers: Readonly<Record<string, (context: SequenceContext) => string | readonly string[]>> = {
  SplitToSequence: splitToSequence,
  SequenceConstruct: ({ node, input }) => node.inputs.map((_, i) => input(i)),
  SequenceAt: ({ b, input, elements, fail }) => {
    const position = b.knownIntegers(input(1))?.[0];
    const chosen = typeof position === 'number' ? elements(0).at(position) : undefined;
    if (chosen === undefined)
      throw fail('the position must be known when the graph is compiled, and inside the sequence');
    return chosen;
  },
  SequenceLength: ({ b, elements }) => b.index(elements(0).length),
  ConcatFromSequence: ({ b, node, elements }) => {
    const axis = intAttribute(node, 'axis', 0);
    const stacked = intAttribute(node, 'new_axis', 0) === 1;
    const parts = stacked ? elements(0).map((part) => b.op('Unsqueeze', [part, b.axes([axis])])) : elements(0);
    return b.op('Concat', parts, { axis: int(axis) });
  },
};

/** Whether an operator works on sequences of tensors and is written away on import. */
export function isSequenceOperator(op: string): boolean {
  return Object.hasOwn(writers, op);
}

/** Every such operator, in alphabetical order. */
export function sequenceOperators(): string[] {
  return Object.keys(writers).sort();
}

/**
 * Writes a node on sequences.
 * @param names what values are called in the builder; filled when the node puts out a tensor
 * @param sequences the elements of each sequence; filled when it puts out a sequence
 * @throws ModelError when lengths or positions are known only at run time
 */
export function writeSequence(
  b: GraphBuilder,
  node: Node,
  names: Map<string, string>,
  sequences: Map<string, readonly string[]>,
): void {
  const fail = (why: string) => new ModelError(`node '${node.name}' (${node.op}): ${why}`);
  const read = <T>(from: ReadonlyMap<string, T>, index: number): T => {
    const value = from.get(node.inputs[index] ?? '');
    if (value === undefined) throw fail(`reads '${node.inputs[index]}', which nothing produces`);
    return value;
  };
  const input = (index: number) => read(names, index);
  const result = writers[node.op]!({ b, node, input, elements: (index) => read(sequences, index), fail });
  if (typeof result === 'string') names.set(node.outputs[0]!, result);
  else sequences.set(node.outputs[0]!, result);
}

/** Parts of the given sizes, of one given size with a smaller rest, or single slices, which may lose the axis. */
function splitToSequence({ b, node, input, fail }: SequenceContext): readonly string[] {
  const x = input(0);
  const axis = normaliseAxis(intAttribute(node, 'axis', 0), b.rank(x));
  const whole = b.shape(x)[axis]!;
  if (typeof whole !== 'number') throw fail(`axis ${axis} has a size that is known only at run time; export it fixed`);
  const given = node.inputs[1] ? input(1) : undefined;
  const known = given === undefined ? [1] : b.knownIntegers(given);
  if (!known?.every((size) => typeof size === 'number')) throw fail('the sizes of the parts must be known');
  const sizes = given !== undefined && b.rank(given) === 1 ? (known as number[]) : chunks(whole, known[0] as number);
  const parts = b.node('Split', [x, b.axes(sizes)], { axis: int(axis) }, { outputs: sizes.length });
  if (given !== undefined || intAttribute(node, 'keepdims', 1) === 1) return parts;
  return parts.map((part) => b.op('Squeeze', [part, b.axes([axis])]));
}

function chunks(whole: number, size: number): number[] {
  return Array.from({ length: Math.ceil(whole / size) }, (_, i) => Math.min(size, whole - i * size));
}
