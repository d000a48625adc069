import type { GraphBuilder } from './builder.ts';
import { int } from './ir.ts';

/** Names of the scalar values that steer a step. */
export interface StepSettings {
  readonly learningRate: string;
  /** C_loc; without it nothing is clipped. */
  readonly maxGradientNorm?: string;
}

/**
 * Clips the whole gradient to the norm C_loc and takes the SGD step w − lr · min(1, C_loc / ‖g‖) · g (arXiv:2310.00098 Algorithm 1).
 * A weight without a gradient stays as it is.
 * @param weights layer → value of its weight
 * @param gradients value of a weight → value of its gradient
 * @returns the updated weights in the order of `weights`, and with a C_loc the norm before clipping
 */
export function writeClippedStep(
  b: GraphBuilder,
  weights: ReadonlyMap<string, string>,
  gradients: ReadonlyMap<string, string>,
  { learningRate, maxGradientNorm }: StepSettings,
): { readonly updated: readonly string[]; readonly norm: string | undefined } {
  const norm = maxGradientNorm === undefined ? undefined : gradientNorm(b, weights, gradients);
  const rate = norm === undefined ? learningRate : b.op('Mul', [learningRate, shrink(b, norm, maxGradientNorm!)]);
  const updated = [...weights].map(([layer, weight]) => {
    const gradient = gradients.get(weight);
    if (gradient === undefined) return weight;
    return b.within(layer, () => b.op('Sub', [weight, b.op('Mul', [gradient, rate])]));
  });
  return { updated, norm };
}

/** Over all layers together. */
function gradientNorm(
  b: GraphBuilder,
  weights: ReadonlyMap<string, string>,
  gradients: ReadonlyMap<string, string>,
): string {
  const squares = [...weights].flatMap(([layer, weight]) => {
    const gradient = gradients.get(weight);
    if (gradient === undefined) return [];
    return b.within(layer, () => b.op('ReduceSumSquare', [gradient], { keepdims: int(0) }));
  });
  return b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)]);
}

/** min(1, bound / norm). */
function shrink(b: GraphBuilder, norm: string, bound: string): string {
  return b.op('Div', [bound, b.op('Max', [norm, bound])]);
}
