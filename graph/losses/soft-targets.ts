import { ModelError } from '../../errors.ts';
import type { GraphBuilder } from '../builder.ts';
import { add, mul, scale } from '../expressions.ts';
import { float32Tensor, int } from '../ir.ts';
import type { CrossEntropyOptions } from './spec.ts';

/** What a cross-entropy with options compares log-probabilities with. */
export interface SoftTargets {
  /** Weight of each class in each row, shape of the logits: −Σ targets · log p is the sum of the losses. */
  readonly targets: string;
  /** Σ over classes of `targets`, kept as an axis of size 1. */
  readonly rowSums: string;
  /** Weight of each row in the mean, without the axis of the classes. */
  readonly rowWeights: string;
}

export function hasOptions({ labelSmoothing, classWeights }: CrossEntropyOptions): boolean {
  return (labelSmoothing ?? 0) > 0 || classWeights !== undefined;
}

/**
 * Smoothed and weighted targets in the manner of PyTorch's CrossEntropyLoss: (1 − s) · one-hot + s / classes, each class times its weight.
 * @param oneHot float32 [..., classes]
 * @throws ModelError unless there is one weight per class
 */
export function softTargets(
  b: GraphBuilder,
  oneHot: string,
  { labelSmoothing = 0, classWeights }: CrossEntropyOptions,
): SoftTargets {
  const last = b.rank(oneHot) - 1;
  const classes = b.shape(oneHot)[last]!;
  const sumOverClasses = (value: string, keepdims: 0 | 1) =>
    b.op('ReduceSum', [value, b.axes([last])], { keepdims: int(keepdims) });
  const smoothed =
    labelSmoothing > 0
      ? add(b, scale(b, oneHot, 1 - labelSmoothing), evenShare(b, oneHot, classes, labelSmoothing))
      : oneHot;
  if (classWeights === undefined) {
    return { targets: smoothed, rowSums: sumOverClasses(smoothed, 1), rowWeights: sumOverClasses(oneHot, 0) };
  }
  if (typeof classes === 'number' && classes !== classWeights.length) {
    throw new ModelError(
      `loss.classWeights: has ${classWeights.length} weights, but the output has ${classes} classes; give one per class`,
    );
  }
  const weights = b.constant(float32Tensor([classWeights.length], classWeights));
  const targets = mul(b, smoothed, weights);
  return { targets, rowSums: sumOverClasses(targets, 1), rowWeights: sumOverClasses(mul(b, oneHot, weights), 0) };
}

function evenShare(b: GraphBuilder, oneHot: string, classes: number | string, smoothing: number): string {
  if (typeof classes === 'number') return b.scalar(smoothing / classes);
  const size = b.op('Shape', [oneHot], { start: int(b.rank(oneHot) - 1) });
  return b.op('Div', [b.scalar(smoothing), b.op('Cast', [size], { to: int(1) })]);
}
