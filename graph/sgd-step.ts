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
  const squares = [...gradients.values()].map((gradient) => b.op('ReduceSumSquare', [gradient], { keepdims: int(0) }));
  const norm = b.op('Sqrt', [squares.length === 1 ? squares[0]! : b.op('Sum', squares)]);
  const shrink = b.op('Div', [maxGradientNorm, b.op('Max', [norm, maxGradientNorm])]);
  const rate = b.op('Mul', [learningRate, shrink]);
  const updated = [...weights.values()].map((weight) => {
    const gradient = gradients.get(weight);
    return gradient === undefined ? weight : b.op('Sub', [weight, b.op('Mul', [gradient, rate])]);
  });
  return { updated, norm };
}
