import type { GraphBuilder } from './builder.ts';
import { int } from './ir.ts';

/** Names of the scalar values that steer a step. */
export interface StepSettings {
  readonly learningRate: string;
  /** C_loc. */
  readonly maxGradientNorm: string;
}

/**
 * Clips the whole gradient to the norm C_loc and takes the SGD step w − lr · min(1, C_loc / ‖g‖) · g (arXiv:2310.00098 Algorithm 1).
 * A weight without a gradient stays as it is.
 * @param weights layer → value of its weight
 * @param gradients value of a weight → value of its gradient
 * @returns the updated weights in the order of `weights`, and the norm before clipping
 */
export function writeClippedStep(
  b: GraphBuilder,
  weights: ReadonlyMap<string, string>,
  gradients: ReadonlyMap<string, string>,
  { learningRate, maxGradientNorm }: StepSettings,
): { readonly updated: readonly string[]; readonly norm: string } {
  const found = [...weights].filter(([, weight]) => gradients.has(weight));
  const squares = found.map(([layer, weight]) =>
    b.within(layer, () => b.op('ReduceSumSquare', [gradients.get(weight)!], { keepdims: int(0) })),
  );
  const norm = b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)]);
  const shrink = b.op('Div', [maxGradientNorm, b.op('Max', [norm, maxGradientNorm])]);
  const rate = b.op('Mul', [learningRate, shrink]);
  const updated = [...weights].map(([layer, weight]) => {
    const gradient = gradients.get(weight);
    if (gradient === undefined) return weight;
    return b.within(layer, () => b.op('Sub', [weight, b.op('Mul', [gradient, rate])]));
  });
  return { updated, norm };
}
