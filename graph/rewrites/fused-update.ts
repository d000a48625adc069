import type { GraphBuilder } from '../builder.ts';
import { float, floatAttribute, int, intAttribute, type Node } from '../ir.ts';
import { type GraphView, isTotal, type Match, type Rewrite, replacing } from './rewrite.ts';

/** Multiplications of the row × row matrices, as a part of the gradient's, up to which they cost less than four passes over it. */
const mostOfProduct = 0.6;

/**
 * The gradient of a dense layer is a product Xᵀ·D over the rows of a mini-batch, much larger than its factors. Its norm follows from
 * two batch × batch matrices, ‖XᵀD‖² = Σ (XXᵀ ∘ DDᵀ), and the step is one GEMM on top of the weight, so the gradient itself is
 * never written down: on a layer of 12 544 × 128 this saves four passes over 6 MB.
 */
const fuse =
  (batchSize: number): Match =>
  (node, view) => {
    const { b } = view;
    if (isTotal(node)) {
      const factors = fusableProduct(node.inputs[0]!, view, batchSize);
      if (!factors) return undefined;
      const [x, d] = factors;
      const gram = (rows: string) => b.op('Gemm', [rows, rows], { transB: int(1) });
      return () => writeSquare(b, gram(x), gram(d), node);
    }
    const change = node.op === 'Sub' ? node.inputs[1]! : undefined;
    const last = change === undefined ? undefined : view.producer(change);
    const [gradient, rate] = last?.op === 'Mul' ? last.inputs : [change];
    const factors = gradient === undefined ? undefined : fusableProduct(gradient, view, batchSize);
    if (!factors) return undefined;
    return () => {
      const [x, d] = rate === undefined ? factors : scaled(b, factors, rate);
      b.op('Gemm', [x, d, node.inputs[0]!], { transA: int(1), alpha: float(-1) }, { outputNames: node.outputs });
    };
  };

/** The factors of a product times a scalar: the narrower is scaled. */
function scaled(b: GraphBuilder, [x, d]: readonly [string, string], rate: string): readonly [string, string] {
  const [left, right] = [b.shape(x)[1], b.shape(d)[1]];
  return typeof left === 'number' && typeof right === 'number' && left < right
    ? [b.op('Mul', [x, rate]), d]
    : [x, b.op('Mul', [d, rate])];
}

/**
 * Writes ‖XᵀD‖² = Σ (XXᵀ ∘ DDᵀ) in place of a node. Rounding can leave one that vanishes a little below zero, so that whoever takes a root has to
 * bound it first.
 */
export function writeSquare(b: GraphBuilder, gramOfX: string, gramOfD: string, { outputs }: Node): void {
  b.op('ReduceSum', [b.op('Mul', [gramOfX, gramOfD])], { keepdims: int(0) }, { outputNames: outputs });
}

/** X and D, when a value is XᵀD over the rows of a mini-batch, and nothing but its norm and one step of a weight reads it. */
function fusableProduct(gradient: string, view: GraphView, batchSize: number): readonly [string, string] | undefined {
  const { b } = view;
  const node = view.producer(gradient);
  if (!node || view.isOutput(gradient) || !isPlainProduct(node)) return undefined;
  const [x, d] = node.inputs as [string, string];
  if (!hasFewRows(b, x, d, batchSize)) return undefined;
  const onlySteps = view
    .readers(gradient)
    .every(
      (reader) => isTotal(reader) || isStep(reader, gradient, gradient, view) || isScaledStep(reader, gradient, view),
    );
  return onlySteps ? [x, d] : undefined;
}

/**
 * Whether matrices of row × row cost less than the passes over the gradient that they save. Rows of sequences are too many; so are those of
 * images, unless few beside the columns.
 */
function hasFewRows(b: GraphBuilder, x: string, d: string, batchSize: number): boolean {
  const [rows] = b.shape(x);
  if (rows === 'batch') return true;
  const perExample = /^(\d+)\*batch$/.exec(String(rows))?.[1];
  const [left, right] = [b.shape(x)[1], b.shape(d)[1]];
  if (perExample === undefined || typeof left !== 'number' || typeof right !== 'number') return false;
  return Number(perExample) * batchSize * (1 / left + 1 / right) <= mostOfProduct;
}

/** Xᵀ·D without a factor or a summand. */
function isPlainProduct(node: Node): boolean {
  return (
    node.op === 'Gemm' &&
    !node.inputs[2] &&
    intAttribute(node, 'transA', 0) === 1 &&
    intAttribute(node, 'transB', 0) === 0 &&
    floatAttribute(node, 'alpha', 1) === 1
  );
}

/** Whether a reader of the gradient only scales it by a scalar, for values of its own shape to be lessened by. */
function isScaledStep(reader: Node, gradient: string, view: GraphView): boolean {
  const { b, readers, isOutput } = view;
  const [left, rate] = reader.inputs;
  const scaled = reader.outputs[0]!;
  if (reader.op !== 'Mul' || left !== gradient || rate === gradient || b.rank(rate!) !== 0 || isOutput(scaled)) {
    return false;
  }
  return readers(scaled).every((step) => isStep(step, scaled, gradient, view));
}

/** Whether a node lessens a value of the gradient's shape by `change`. */
function isStep({ op, inputs }: Node, change: string, gradient: string, { b }: GraphView): boolean {
  return (
    op === 'Sub' &&
    inputs[1] === change &&
    inputs[0] !== change &&
    b.shape(inputs[0]!).join() === b.shape(gradient).join()
  );
}

/** Takes the clipped SGD step of dense layers without their gradient. @param batchSize largest mini-batch to expect */
export const fuseUpdates = (batchSize = 1): Rewrite => replacing(fuse(batchSize));
