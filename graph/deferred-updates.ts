import type { GraphBuilder } from './builder.ts';
import type { ClientVisits } from './client-visits.ts';
import { type Factor, factorOf, widthOf } from './gathered-rows.ts';
import { float, floatAttribute, int, intAttribute, ints, type Node } from './ir.ts';
import { type CarriedLayer, type LayerStep, type LayerUpdate, updateOf } from './loop-state.ts';
import { isWideForRows } from './rewrites/few-rows.ts';
import { writeSquare } from './rewrites/fused-update.ts';
import { type GraphView, replacing, viewOf } from './rewrites/rewrite.ts';

/**
 * Below this harmonic size (rows · columns / (rows + columns)) of a weight, stepping at once is cheaper: it is about how many rows
 * may be gathered for one step more to cost less than writing the weight.
 */
const leastSize = 64;

/** With larger mini-batches a run has too few steps to save anything, and products of rows with rows cost more than the steps. */
export const largestGatheredBatch = 64;

/** Narrower data is not worth preparing before the loop. */
const leastDataWidth = 64;

/**
 * A dense layer's gradient over a mini-batch is PᵀQ, a product of few rows, so after any number of steps the weight is
 * W₀ − P̂ᵀQ̂ with the rows of all steps so far, scaled by their rates. Then L·W = L·W₀ − (L·P̂ᵀ)·Q̂: the weight need not be
 * written in every step, only a few rows be gathered, and the layer's delta is one product behind the loop. Where a factor is the
 * client's own data, X·W₀ and X·Xᵀ are products over all its visits at once, before the loop. A bias is one more row of the weight,
 * for an input that is always 1: it adds 1 to every element of X·X̂ᵀ.
 *
 * A layer qualifies when its weight is read by nothing but products of mini-batch rows with it and its own step.
 * @returns layers that qualify; their part of the step has been rewritten
 */
export function deferUpdates(
  outer: GraphBuilder,
  b: GraphBuilder,
  steps: readonly LayerStep[],
  visits: ClientVisits,
  batchSize: number,
): Map<string, CarriedLayer> {
  const deferred = new Map<string, CarriedLayer>();
  let view = viewOf(b, []);
  for (const step of steps) {
    const found = denseLayer(step, steps, visits, view);
    if (!found) continue;
    b.within(step.layer, () => defer(outer, b, found, visits, deferred, batchSize));
    view = viewOf(b, []);
  }
  return deferred;
}

/** A dense layer that qualifies. */
interface DenseLayer {
  readonly step: LayerStep;
  /** Its gradient is the node PᵀQ. */
  readonly update: LayerUpdate;
  readonly products: readonly RowProduct[];
  /** The bias that is added to its product, when nothing else is done with it; its gradient sums the rows of one factor. */
  readonly bias?: Bias | undefined;
}

interface Bias {
  readonly step: LayerStep;
  readonly update: LayerUpdate;
  /** The factor P or Q whose rows the gradient sums. */
  readonly rows: string;
}

function denseLayer(
  step: LayerStep,
  steps: readonly LayerStep[],
  visits: ClientVisits,
  view: GraphView,
): DenseLayer | undefined {
  const { b } = view;
  const update = updateOf(step, view);
  if (!update || !isProductOfRows(update.gradient, b)) return undefined;
  const products = view
    .readers(step.weight)
    .filter((node) => node !== update.node)
    .map((node) => rowProduct(node, step.weight, b));
  if (!products.every((product) => product !== undefined)) return undefined;
  const data = update.gradient.inputs.findIndex((value) => visits.has(value));
  const [rows, columns] = b.shape(step.weight) as readonly [number, number];
  const pays = data >= 0 ? [rows, columns][data]! >= leastDataWidth : (rows * columns) / (rows + columns) >= leastSize;
  return pays ? { step, update, products, bias: biasOf(products, update.gradient, steps, view) } : undefined;
}

function isProductOfRows(node: Node, b: GraphBuilder): boolean {
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
  readonly node: Node;
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
  const transB = intAttribute(node, 'transB', 0) === 1;
  return plain ? { node, left, transB, summand: summand || undefined } : undefined;
}

function biasOf(
  products: readonly RowProduct[],
  weightGradient: Node,
  steps: readonly LayerStep[],
  view: GraphView,
): Bias | undefined {
  const { b } = view;
  const product = products.find(({ summand }) => summand !== undefined);
  const step = steps.find(({ weight }) => weight === product?.summand);
  const update = step && updateOf(step, view);
  if (!product || !step || !update || b.rank(step.weight) !== 1) return undefined;
  if (view.readers(step.weight).some((reader) => reader !== product.node && reader !== update.node)) return undefined;
  const { gradient } = update;
  const rows = gradient.inputs[0]!;
  const sumsRows =
    gradient.op === 'ReduceSum' &&
    b.knownIntegers(gradient.inputs[1] ?? '')?.join() === '0' &&
    intAttribute(gradient, 'keepdims', 1) === 0;
  const other = weightGradient.inputs[1 - weightGradient.inputs.indexOf(rows)];
  return sumsRows && weightGradient.inputs.includes(rows) && other === product.left
    ? { step, update, rows }
    : undefined;
}

function defer(
  outer: GraphBuilder,
  b: GraphBuilder,
  { step, update, products, bias }: DenseLayer,
  visits: ClientVisits,
  deferred: Map<string, CarriedLayer>,
  batchSize: number,
): void {
  const [p, q] = update.gradient.inputs as [string, string];
  const narrower = widthOf(b, p) <= widthOf(b, q) ? p : q;
  const scaled = bias?.rows ?? (visits.has(p) ? q : visits.has(q) ? p : narrower);
  const factor = (value: string) =>
    factorOf(outer, b, visits, step.initial, value, {
      rate: value === scaled ? update.rate : undefined,
      withOnes: bias !== undefined && value !== bias.rows,
    });
  const [left, right] = [factor(p), factor(q)];
  const writers = new Map<Node, () => void>();
  for (const product of products) {
    const [same, other] = product.transB ? [right, left] : [left, right];
    const summand = product.summand === bias?.step.weight ? bias?.step.initial : product.summand;
    const read = inReadingOrder(outer, step.initial, { ...product, summand }, visits, batchSize);
    writers.set(product.node, () => writeProduct(outer, b, read.weight, read.product, same, other, visits));
  }
  for (const node of update.totals) {
    writers.set(node, () => writeSquare(b, left.gram(), right.gram(), node));
  }
  // The bias is in the norm of the weight.
  for (const node of bias?.update.totals ?? []) {
    writers.set(node, () => b.op('Identity', [b.scalar(0)], {}, { outputNames: node.outputs }));
  }
  replacing((node) => writers.get(node))(b, []);
  const states = [left.append(), right.append()].flatMap((state) => state ?? []);
  deferred.set(step.layer, {
    states,
    writeDelta: (final, outputName) => {
      outer.op('Gemm', [left.all(final), right.all(final)], { transA: int(1) }, { outputNames: [outputName] });
    },
  });
  if (!bias) return;
  const rows = bias.rows === p ? left : right;
  deferred.set(bias.step.layer, {
    states: [],
    writeDelta: (final, outputName) => {
      outer.op('ReduceSum', [rows.all(final), outer.axes([0])], { keepdims: int(0) }, { outputNames: [outputName] });
    },
  });
}

/**
 * A wide weight that is not transposed in a product with few rows is transposed before the loop: the product is then turned around
 * (rewrites/few-rows.ts), and takes 0.64 of the time (10 rows with 12544 × 128). All clients that start from the same weight share the transposed one.
 */
function inReadingOrder(
  outer: GraphBuilder,
  weight: string,
  product: RowProduct,
  visits: ClientVisits,
  batchSize: number,
): { readonly weight: string; readonly product: RowProduct } {
  const stays = product.transB || visits.has(product.left) || !isWideForRows(outer.shape(weight), batchSize);
  if (stays) return { weight, product };
  const turned = outer.within('turned', () => outer.op('Transpose', [weight], { perm: ints([1, 0]) }));
  return { weight: turned, product: { ...product, transB: true } };
}

/** L·W + C by the weight before the loop and the rows gathered since. */
function writeProduct(
  outer: GraphBuilder,
  b: GraphBuilder,
  weight: string,
  { node, left, transB, summand }: RowProduct,
  same: Factor,
  other: Factor,
  visits: ClientVisits,
): void {
  const attributes = { transB: int(Number(transB)) };
  const product = (rows: string, builder: GraphBuilder, added?: string) =>
    builder.op('Gemm', added === undefined ? [rows, weight] : [rows, weight, added], attributes);
  const ofVisits = () => {
    // Only a summand that does not change from step to step can be added before the loop.
    const early = summand !== undefined && outer.has(summand);
    const all = outer.within('visits', () => product(visits.over(left), outer, early ? summand : undefined));
    const rows = visits.rowsOf(all);
    return summand === undefined || early ? rows : b.op('Add', [rows, summand]);
  };
  const before = visits.has(left) ? ofVisits() : product(left, b, summand);
  b.op('Gemm', [same.against(left), other.past(), before], { alpha: float(-1) }, { outputNames: node.outputs });
}
