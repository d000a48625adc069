import type { GraphBuilder } from './builder.ts';
import { areKnown } from './dims.ts';
import { int, intAttribute, ints, intsAttribute, type Node } from './ir.ts';
import { type CarriedLayer, type LayerStep, updateOf } from './loop-state.ts';
import { normaliseAxis } from './operators/shape-rule.ts';
import { type GraphView, replacing, viewOf } from './rewrites/rewrite.ts';

/**
 * The gradient of a convolution's kernel comes in another order than the kernel's own, such as one matrix per kernel position, and to
 * bring it into that order costs more than the step; so it is with matrices that a model transposes. So the loop carries such a weight as the gradient comes, in parts
 * where it comes in parts; what reads it gets it back in its own order, or, where that is undone at once, not.
 */
export function storeKernels(
  outer: GraphBuilder,
  b: GraphBuilder,
  steps: readonly LayerStep[],
): Map<string, CarriedLayer> {
  const stored = new Map<string, CarriedLayer>();
  let view = viewOf(b, []);
  for (const step of steps) {
    const layer = b.within(step.layer, () => store(outer, b, step, view));
    if (!layer) continue;
    stored.set(step.layer, layer);
    view = viewOf(b, []);
  }
  return stored;
}

/** A reshape or transpose of one value of known size into another order. */
interface Move {
  readonly node: Node;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** A gradient that comes by itself, its sizes, and those that it is concatenated with. */
interface Part {
  readonly gradient: string;
  readonly sizes: readonly number[];
  readonly joined: readonly number[];
}

/** A gradient before anything is moved: a value, or several that are concatenated. */
interface Source {
  readonly parts: readonly Part[];
  readonly axis: number;
}

function store(outer: GraphBuilder, b: GraphBuilder, step: LayerStep, view: GraphView): CarriedLayer | undefined {
  const { layer, weight, initial } = step;
  const update = updateOf(step, view);
  const moves = update ? movesTo(update.gradient, view) : [];
  if (!update || moves.length === 0) return undefined;
  const { node: lessening, rate, totals } = update;
  const first = moves[0]!.node.inputs[0]!;
  const source = (isSplit(weight, lessening, view) && partsOf(first, view)) || wholeOf(first, view);
  const gradients = source.parts.map(({ gradient }) => gradient);
  const names = gradients.map((gradient, part) => {
    const name = gradients.length === 1 ? `kernels/${layer}` : `kernels/${layer}/${part}`;
    return b.input(b.unique(name), 'float32', b.shape(gradient));
  });
  const next = names.map((name, part) => {
    const gradient = gradients[part]!;
    return b.op('Sub', [name, rate === undefined ? gradient : b.op('Mul', [gradient, rate])]);
  });
  const writers = new Map(totals.map((total) => [total, () => writeTotal(b, gradients, total)]));
  replacing((node) => writers.get(node))(b, []);
  // In front of everything that reads the weight.
  const others = b.nodes.splice(0);
  moved(b, joined(b, names, source), moves, weight);
  b.nodes.push(...others);
  const initials = outer.within('kernels', () => cut(outer, movedBack(outer, initial, moves), source));
  return {
    states: names.map((name, part) => ({ name, initial: initials[part]!, next: next[part]! })),
    // The subtraction comes last: a reshape that writes an output of the graph would copy it.
    writeDelta: (final, outputName) => {
      const last = joined(outer, names.map(final), source);
      outer.op('Sub', [initial, moved(outer, last, moves)], {}, { outputNames: [outputName] });
    },
  };
}

/** The sum of squares of all parts, in place of the node that took it of the whole. */
function writeTotal(b: GraphBuilder, gradients: readonly string[], { outputs }: Node): void {
  const square = (gradient: string, options = {}) => b.op('ReduceSumSquare', [gradient], { keepdims: int(0) }, options);
  if (gradients.length === 1) {
    square(gradients[0]!, { outputNames: outputs });
    return;
  }
  const squares = gradients.map((gradient) => square(gradient));
  b.op('Sum', squares, {}, { outputNames: outputs });
}

/** Whether all that reads a weight, but for the node that lessens it, takes it apart. */
function isSplit(weight: string, lessening: Node, { readers }: GraphView): boolean {
  for (let value = weight; ; ) {
    const [reader, ...others] = readers(value).filter((node) => node !== lessening);
    if (reader?.op === 'Split' || others.length > 0) return others.length === 0;
    if (reader?.op !== 'Reshape' && reader?.op !== 'Transpose') return false;
    value = reader.outputs[0]!;
  }
}

function wholeOf(value: string, { b }: GraphView): Source {
  const sizes = b.shape(value) as readonly number[];
  return { parts: [{ gradient: value, sizes, joined: sizes }], axis: 0 };
}

/** The parts that a value is concatenated from, if their sizes are known and nothing else reads it or them. */
function partsOf(value: string, { b, producer, readers }: GraphView): Source | undefined {
  const node = producer(value);
  const isOwn = (part: string) => areKnown(b.shape(part)) && readers(part).length === 1;
  if (node?.op !== 'Concat' || node.inputs.length === 1 || !isOwn(value) || !node.inputs.every(isOwn)) return undefined;
  const parts = node.inputs.map((part) => {
    const reshaped = producer(part);
    const from = reshaped?.op === 'Reshape' ? reshaped.inputs[0]! : part;
    const gradient = isOwn(from) ? from : part;
    const sizes = (name: string) => b.shape(name) as readonly number[];
    return { gradient, sizes: sizes(gradient), joined: sizes(part) };
  });
  return { parts, axis: normaliseAxis(intAttribute(node, 'axis', 0), b.rank(value)) };
}

function joined(b: GraphBuilder, names: readonly string[], { parts, axis }: Source): string {
  if (parts.length === 1) return names[0]!;
  const inputs = names.map((name, part) => b.reshape(name, parts[part]!.joined));
  return b.op('Concat', inputs, { axis: int(axis) });
}

/** The inverse of `joined`. */
function cut(b: GraphBuilder, whole: string, { parts, axis }: Source): readonly string[] {
  if (parts.length === 1) return [whole];
  const sizes = b.axes(parts.map(({ joined }) => joined[axis]!));
  const pieces = b.node('Split', [whole, sizes], { axis: int(axis) }, { outputs: parts.length });
  return pieces.map((piece, part) => b.reshape(piece, parts[part]!.sizes));
}

/** What brings a gradient into its order; none where that takes no transpose, and so there is nothing to save. */
function movesTo(gradient: Node, { b, producer, readers }: GraphView): Move[] {
  const moves: Move[] = [];
  for (let node: Node | undefined = gradient; node; node = producer(node.inputs[0]!)) {
    const [from, to] = [b.shape(node.inputs[0]!), b.shape(node.outputs[0]!)];
    const known = areKnown([...from, ...to]);
    const isMove = node.op === 'Reshape' || (node.op === 'Transpose' && intsAttribute(node, 'perm') !== undefined);
    if (!isMove || !known || (node !== gradient && readers(node.outputs[0]!).length > 1)) break;
    moves.unshift({ node, from: from as number[], to: to as number[] });
  }
  return moves.some(({ node }) => node.op === 'Transpose') ? moves : [];
}

/** A value of the gradient's first order in its last. */
function moved(b: GraphBuilder, value: string, moves: readonly Move[], outputName?: string): string {
  return moves.reduce((from, { node, to }, i) => {
    const options = i === moves.length - 1 && outputName !== undefined ? { outputNames: [outputName] } : {};
    if (node.op === 'Transpose') return b.op('Transpose', [from], node.attributes, options);
    return b.op('Reshape', [from, b.axes(to)], {}, options);
  }, value);
}

/** A value of the gradient's last order in its first. */
function movedBack(b: GraphBuilder, value: string, moves: readonly Move[]): string {
  return moves.reduceRight((to, { node, from }) => {
    if (node.op !== 'Transpose') return b.reshape(to, from);
    const perm = intsAttribute(node, 'perm')!;
    return b.op('Transpose', [to], { perm: ints(perm.map((_, axis) => perm.indexOf(axis))) });
  }, value);
}
