import type { GraphBuilder } from './builder.ts';
import { int, ints, intsAttribute, type Node } from './ir.ts';
import { type CarriedLayer, type LayerStep, updateOf } from './loop-state.ts';
import { type GraphView, replacing, viewOf } from './rewrites/rewrite.ts';

/**
 * The gradient of a convolution's kernel comes in another order than the kernel's own, such as one matrix per kernel position, and to
 * bring it into that order costs more than the step; so it is with matrices that a model transposes. So the loop carries such a weight as the gradient comes; what reads it
 * gets it back in its own order, or, where that is undone at once, not.
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

function store(outer: GraphBuilder, b: GraphBuilder, step: LayerStep, view: GraphView): CarriedLayer | undefined {
  const { layer, weight, initial } = step;
  const update = updateOf(step, view);
  const moves = update ? movesTo(update.gradient, view) : [];
  if (!update || moves.length === 0) return undefined;
  const { rate, totals } = update;
  const source = moves[0]!.node.inputs[0]!;
  const name = b.input(b.unique(`kernels/${layer}`), 'float32', b.shape(source));
  const next = b.op('Sub', [name, rate === undefined ? source : b.op('Mul', [source, rate])]);
  const writers = new Map<Node, () => void>();
  for (const total of totals) {
    writers.set(total, () => b.op('ReduceSumSquare', [source], { keepdims: int(0) }, { outputNames: total.outputs }));
  }
  replacing((node) => writers.get(node))(b, []);
  // In front of everything that reads the weight.
  const others = b.nodes.splice(0);
  moved(b, name, moves, weight);
  b.nodes.push(...others);
  const first = outer.within('kernels', () => movedBack(outer, initial, moves));
  return {
    states: [{ name, initial: first, next }],
    // The subtraction comes last: a reshape that writes an output of the graph would copy it.
    writeDelta: (final, outputName) => {
      outer.op('Sub', [initial, moved(outer, final(name), moves)], {}, { outputNames: [outputName] });
    },
  };
}

/** What brings a gradient into its order; none where that takes no transpose, and so there is nothing to save. */
function movesTo(gradient: Node, { b, producer, readers }: GraphView): Move[] {
  const moves: Move[] = [];
  for (let node: Node | undefined = gradient; node; node = producer(node.inputs[0]!)) {
    const [from, to] = [b.shape(node.inputs[0]!), b.shape(node.outputs[0]!)];
    const known = [...from, ...to].every((size) => typeof size === 'number');
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
