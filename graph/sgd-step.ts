import type { GraphBuilder } from './builder.ts';
import { div, mul, sub } from './expressions.ts';
import { int } from './ir.ts';

/** Names of the scalar values that bound a step. */
export interface StepBound {
  readonly learningRate: string;
  /** C_loc > 0, with a square that float32 holds. */
  readonly maxGradientNorm: string;
}

/** Keeps 0 / 0 out of the step where the gradient vanishes and C_loc² underflows. */
const leastSquare = 1e-37;

/**
 * The rate at which clipping the whole gradient to the norm C_loc and an SGD step become one: lr · min(1, C_loc / ‖g‖)
 * (arXiv:2310.00098 Algorithm 1). The norm is over all layers together.
 * @param weights layer → value of its weight
 * @param gradients value of a weight → value of its gradient
 */
export function writeClippedRate(
  b: GraphBuilder,
  weights: ReadonlyMap<string, string>,
  gradients: ReadonlyMap<string, string>,
  { learningRate, maxGradientNorm }: StepBound,
): string {
  const squares = [...weights].flatMap(([layer, weight]) => {
    const gradient = gradients.get(weight);
    if (gradient === undefined) return [];
    return b.within(layer, () => b.op('ReduceSumSquare', [gradient], { keepdims: int(0) }));
  });
  const square = squares.length === 1 ? squares[0]! : b.op('Sum', squares);
  const bound = b.op('Max', [mul(b, maxGradientNorm, maxGradientNorm), b.scalar(leastSquare)]);
  // A sum of squares can come out a little below zero; see rewrites/fused-update.ts.
  return div(b, mul(b, learningRate, maxGradientNorm), b.op('Sqrt', [b.op('Max', [square, bound])]));
}

/**
 * The SGD step w − rate · g. A weight without a gradient stays as it is.
 * @param weights layer → value of its weight
 * @param gradients value of a weight → value of its gradient
 * @param rate a scalar; default: the gradients hold it already
 * @returns the updated weights in the order of `weights`
 */
export function writeStep(
  b: GraphBuilder,
  weights: ReadonlyMap<string, string>,
  gradients: ReadonlyMap<string, string>,
  rate?: string,
): string[] {
  return [...weights].map(([layer, weight]) => {
    const gradient = gradients.get(weight);
    if (gradient === undefined) return weight;
    return b.within(layer, () => sub(b, weight, rate === undefined ? gradient : mul(b, gradient, rate)));
  });
}
