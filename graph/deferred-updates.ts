import type { GraphBuilder } from './builder.ts';
import { type Dim, float, float32Tensor, floatAttribute, int, intAttribute, type Node } from './ir.ts';
import type { ClientData, MiniBatch } from './mini-batch.ts';
import { type GraphView, isTotal, replacing, viewOf } from './rewrites/rewrite.ts';

/** A value that the loop over local steps hands from one step to the next. */
export interface LoopState {
  /** Name inside the loop. */
  readonly name: string;
  /** The outer value it starts as. */
  readonly initial: string;
  /** The inner value that the next step gets. */
  readonly next: string;
  /** Behind the loop. */
  readonly shape: readonly Dim[];
}

/** A dense layer whose weight stays as it was while its steps are gathered. */
export interface DeferredLayer {
  readonly states: readonly LoopState[];
  /** Writes the layer's delta behind the loop. @param final the last value of a state */
  readonly writeDelta: (final: (state: LoopState) => string, outputName: string) => void;
}

/** One layer's part in the step that has been written. */
export interface LayerStep {
  readonly layer: string;
  /** Its weight before the loop (an outer value), in the step, and after the step. */
  readonly initial: string;
  readonly weight: string;
  readonly updated: string;
  readonly batch: MiniBatch;
  readonly data: ClientData;
}

/**
 * Below this harmonic size (rows · columns / (rows + columns)) of a weight, stepping at once is cheaper. The rows that are gathered
 * are as many as a run of the graph has visits; the size is what they have to stay below, on average, to cost less than the steps.
 */
const leastSize = 64;

/** Narrower data is not worth preparing before the loop. */
const leastDataWidth = 64;

/**
 * A dense layer's gradient over a mini-batch is PᵀQ, a product of few rows, so after any number of steps the weight is
 * W₀ − P̂ᵀQ̂ with the rows of all steps so far (P̂ scaled by the rate). Then L·W = L·W₀ − (L·P̂ᵀ)·Q̂: the weight need not be
 * written in every step, only a few rows be gathered, and the layer's delta is one product behind the loop. Where a factor is the
 * client's own data, X·W₀ and X·Xᵀ are products over all its visits at once, before the loop.
 *
 * A layer qualifies when its weight is read by nothing but products of mini-batch rows with it and its own step.
 * @returns undefined when the layer does not qualify; otherwise the step's nodes have been changed
 */
export function deferUpdate(outer: GraphBuilder, b: GraphBuilder, step: LayerStep): DeferredLayer | undefined {
  const view = viewOf(b, []);
  const update = updateOf(step, view);
  if (!update) return undefined;
  const { gradient, rate } = update;
  const products = view.readers(step.weight).filter((node) => node !== update.node);
  const read = products.map((node) => rowProduct(node, step.weight, b));
  if (!read.every((product) => product !== undefined)) return undefined;
  const [p, q] = gradient.inputs.map((value) => dataRows(value, step, view)) as [Source, Source];
  if (!pays(b.shape(step.weight) as number[], [p, q])) return undefined;

  return b.within(step.layer, () => {
    const scaleP = !p.data && (q.data !== undefined || width(b, p.value) <= width(b, q.value));
    const factors = { p: factor(outer, b, step, p, scaleP && rate), q: factor(outer, b, step, q, !scaleP && rate) };
    const writers = new Map<Node, () => void>();
    for (const [i, node] of products.entries()) {
      writers.set(node, () => writeProduct(outer, b, step, node, read[i]!, factors));
    }
    for (const node of view.readers(gradient.outputs[0]!).filter(isTotal)) {
      writers.set(node, () => {
        const square = b.op('Mul', [factors.p.gram(), factors.q.gram()]);
        // Rounding can leave a vanishing norm a little below zero, where the root is not a number.
        b.op(
          'Max',
          [b.op('ReduceSum', [square], { keepdims: int(0) }), b.scalar(0)],
          {},
          { outputNames: node.outputs },
        );
      });
    }
    replacing((node) => writers.get(node))(b, []);
    const states = [factors.p.append(), factors.q.append()].flatMap((state) => state ?? []);
    const writeDelta: DeferredLayer['writeDelta'] = (final, outputName) => {
      const rows = [factors.p, factors.q].map((each) => each.all(final));
      outer.op('Gemm', rows, { transA: int(1) }, { outputNames: [outputName] });
    };
    return { states, writeDelta };
  });
}

/** The node W − rate · gradient, where the gradient is a plain product over mini-batch rows that nothing but the step and its norm reads. */
function updateOf({ weight, updated }: LayerStep, view: GraphView) {
  const { b } = view;
  const node = view.producer(updated);
  const scaled = node?.op === 'Sub' && node.inputs[0] === weight ? view.producer(node.inputs[1]!) : undefined;
  const gradient = scaled?.op === 'Mul' ? view.producer(scaled.inputs[0]!) : undefined;
  if (!node || !scaled || !gradient || !isPlainGradient(gradient, b)) return undefined;
  const others = view.readers(gradient.outputs[0]!).filter((reader) => reader !== scaled);
  if (!others.every(isTotal) || view.readers(scaled.outputs[0]!).length > 1) return undefined;
  return { node, gradient, rate: scaled.inputs[1]! };
}

function isPlainGradient(node: Node, b: GraphBuilder): boolean {
  return (
    node.op === 'Gemm' &&
    !node.inputs[2] &&
    intAttribute(node, 'transA', 0) === 1 &&
    intAttribute(node, 'transB', 0) === 0 &&
    floatAttribute(node, 'alpha', 1) === 1 &&
    b.shape(node.inputs[0]!)[0] === 'batch'
  );
}

/** Mini-batch rows L times the weight or its transpose, with or without a summand. */
interface RowProduct {
  readonly left: string;
  readonly transB: boolean;
  readonly summand: string | undefined;
}

function rowProduct(node: Node, weight: string, b: GraphBuilder): RowProduct | undefined {
  const [left, right, summand] = node.inputs as [string, string, string?];
  if (!['Gemm', 'MatMul', 'FusedMatMul'].includes(node.op) || right !== weight) return undefined;
  if (left === weight || summand === weight || b.rank(left) !== 2 || b.shape(left)[0] !== 'batch') return undefined;
  const plain =
    ['transA', 'transBatchA', 'transBatchB'].every((name) => intAttribute(node, name, 0) === 0) &&
    ['alpha', 'beta'].every((name) => floatAttribute(node, name, 1) === 1);
  return plain ? { left, transB: intAttribute(node, 'transB', 0) === 1, summand: summand || undefined } : undefined;
}

/** Rows of a mini-batch; `data` is the client data that they are flattened rows of, if they are. */
interface Source {
  readonly value: string;
  readonly data: string | undefined;
}

/** Follows rows back through reshapes that keep each example to itself. */
function dataRows(value: string, { batch, data: { isField } }: LayerStep, { b, producer }: GraphView): Source {
  let node = producer(value);
  while (node && ['Flatten', 'Reshape', 'Identity'].includes(node.op)) {
    if (b.shape(node.inputs[0]!)[0] !== 'batch') return { value, data: undefined };
    node = producer(node.inputs[0]!);
  }
  const [data, indices] = node?.op === 'Gather' ? node.inputs : [];
  const isData = data !== undefined && indices === batch.chosen && isField(data) && width(b, value) > 0;
  return { value, data: isData ? data : undefined };
}

/** Columns of a matrix; 0 when they are not known. */
function width(b: GraphBuilder, matrix: string): number {
  const columns = b.shape(matrix)[1];
  return typeof columns === 'number' ? columns : 0;
}

function pays([rows, columns]: readonly number[], sources: readonly Source[]): boolean {
  const data = sources.findIndex((source) => source.data !== undefined);
  if (data >= 0) return [rows!, columns!][data]! >= leastDataWidth;
  return (rows! * columns!) / (rows! + columns!) >= leastSize;
}

/** One factor of the gradient: the rows of this step, and those of the steps before. */
interface Factor extends Source {
  /** [batch, past]: rows L times the transposed rows of the steps before. */
  readonly against: (left: string) => string;
  /** Rows of the steps before, [past, columns]. */
  readonly past: () => string;
  /** [batch, batch]: this step's rows times their transpose, unscaled. */
  readonly gram: () => string;
  /** The loop's state with this step's rows behind the others; undefined for data, which is known before the loop. */
  readonly append: () => LoopState | undefined;
  /** All rows, behind the loop. */
  readonly all: (final: (state: LoopState) => string) => string;
}

const transposed = { transB: int(1) };

function factor(outer: GraphBuilder, b: GraphBuilder, step: LayerStep, source: Source, rate: string | false): Factor {
  return source.data === undefined ? gathered(outer, b, step, source, rate) : visited(outer, b, step, source);
}

/** Rows that are gathered step by step, scaled by the step's rate where one is given. */
function gathered(
  outer: GraphBuilder,
  b: GraphBuilder,
  { initial, layer }: LayerStep,
  { value, data }: Source,
  rate: string | false,
): Factor {
  const columns = width(b, value);
  const name = b.input(b.unique(`history/${initial}`), 'float32', ['past', columns]);
  const none = outer.constant(float32Tensor([0, columns], []), outer.unique(`none/${layer}`));
  let state: LoopState | undefined;
  return {
    value,
    data,
    past: () => name,
    against: (left) => b.op('Gemm', [left, name], transposed),
    gram: () => b.op('Gemm', [value, value], transposed),
    append: () => {
      const rows = rate === false ? value : b.op('Mul', [value, rate]);
      const next = b.op('Concat', [name, rows], { axis: int(0) });
      state = { name, initial: none, next, shape: ['visits', columns] };
      return state;
    },
    all: (final) => final(state!),
  };
}

/** Rows of the client's data, all of which are known before the loop, with their products. */
function visited(
  outer: GraphBuilder,
  b: GraphBuilder,
  { data: { order }, batch }: LayerStep,
  { value, data }: Source,
): Factor {
  const { start, end } = batch;
  const all = outer.within('visits', () => visitRows(outer, data!, order, width(b, value)));
  const products = outer.within('visits', () => outer.op('Gemm', [all, all], transposed));
  const rowsOf = (matrix: string) => b.op('Slice', [matrix, start, end, b.axes([0])]);
  const columns = (from: string, to: string) => b.op('Slice', [rowsOf(products), from, to, b.axes([1])]);
  const past = () => b.op('Slice', [all, b.axes([0]), start, b.axes([0])]);
  return {
    value,
    data,
    past,
    against: (left) => (left === value ? columns(b.axes([0]), start) : b.op('Gemm', [left, past()], transposed)),
    gram: () => columns(start, end),
    append: () => undefined,
    all: () => all,
  };
}

/** The client's examples in the order of its visits, each flattened: [visits, columns]. */
function visitRows(outer: GraphBuilder, data: string, order: string, columns: number): string {
  return outer.reshape(outer.op('Gather', [data, order], { axis: int(0) }), [-1, columns]);
}

/** L·W + C by the weight before the loop and the rows gathered since. */
function writeProduct(
  outer: GraphBuilder,
  b: GraphBuilder,
  { initial, data: { order }, batch }: LayerStep,
  node: Node,
  { left, transB, summand }: RowProduct,
  { p, q }: { readonly p: Factor; readonly q: Factor },
): void {
  const [same, other] = transB ? [q, p] : [p, q];
  const attributes = { transB: int(Number(transB)) };
  const fromVisits = () => {
    const visits = outer.within('visits', () => {
      const rows = visitRows(outer, same.data!, order, width(b, left));
      return outer.op('Gemm', [rows, initial], attributes);
    });
    const rows = b.op('Slice', [visits, batch.start, batch.end, b.axes([0])]);
    return summand === undefined ? rows : b.op('Add', [rows, summand]);
  };
  const direct = () => b.op('Gemm', summand === undefined ? [left, initial] : [left, initial, summand], attributes);
  const before = same.data !== undefined && left === same.value ? fromVisits() : direct();
  b.op('Gemm', [same.against(left), other.past(), before], { alpha: float(-1) }, { outputNames: node.outputs });
}
