import { ModelError } from '../../errors.ts';
import type { GraphBuilder } from '../builder.ts';
import { mul, neg, reduceSum, sub } from '../expressions.ts';
import { float32Tensor, int, ints } from '../ir.ts';
import { softCrossEntropy } from './cross-entropy.ts';
import type { LossValues } from './loss.ts';
import { hasOptions } from './soft-targets.ts';
import type { CrossEntropyOptions } from './spec.ts';

/**
 * Mean softmax cross-entropy over every position of a sequence or an image. Classes stand on the last axis, [batch, ..., classes], or
 * as in PyTorch on the second, [batch, classes, ...]; where the sizes allow both, the last is taken. Positions with a negative class
 * (PyTorch's `ignore_index` of −100) are left out.
 * @param labels int64, shape of the logits without the classes
 * @throws ModelError when the shapes do not fit
 */
export function tokenCrossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: CrossEntropyOptions = {},
): LossValues {
  const rank = b.rank(logits);
  if (!classesAreSecond(b, logits, labels)) return overLastAxis(b, logits, labels, options);
  const others = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  const last = b.op('Transpose', [logits], { perm: ints([0, ...others, 1]) });
  const { loss, logitsGradient } = overLastAxis(b, last, labels, options);
  const back = { perm: ints([0, rank - 1, ...others.map((axis) => axis - 1)]) };
  return { loss, logitsGradient: b.op('Transpose', [logitsGradient], back) };
}

function classesAreSecond(b: GraphBuilder, logits: string, labels: string): boolean {
  const [shape, given] = [b.shape(logits), b.shape(labels)];
  const fits = (axis: number) => {
    const expected = shape.filter((_, i) => i !== axis);
    return (
      expected.length === given.length &&
      expected.every((size, i) => typeof size === 'string' || typeof given[i] === 'string' || size === given[i])
    );
  };
  if (shape.length >= 2 && fits(shape.length - 1)) return false;
  if (shape.length >= 2 && fits(1)) return true;
  throw new ModelError(
    `the target has shape [${given}]; for logits [${shape}] it must be that shape without the axis of the classes`,
  );
}

function overLastAxis(b: GraphBuilder, logits: string, labels: string, options: CrossEntropyOptions): LossValues {
  const classes = b.shape(logits).at(-1)!;
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
  const depth =
    typeof classes === 'number'
      ? b.index(classes)
      : b.op('Squeeze', [b.op('Shape', [logits], { start: int(b.rank(logits) - 1) })]);
  const counted = b.op('Cast', [b.op('GreaterOrEqual', [labels, b.index(0)])], { to: int(1) });
  const oneHot = b.op('OneHot', [b.op('Max', [labels, b.index(0)]), depth, b.constant(float32Tensor([2], [0, 1]))]);
  if (hasOptions(options)) return softCrossEntropy(b, logProbabilities, oneHot, options, counted);
  const axes = Array.from({ length: b.rank(labels) }, (_, i) => i);
  const weights = b.op('Div', [counted, reduceSum(b, counted, axes, false)]);
  const perPosition = neg(b, reduceSum(b, mul(b, oneHot, logProbabilities), [axes.length], false));
  const loss = reduceSum(b, mul(b, perPosition, weights), axes, false);
  const difference = sub(b, b.op('Exp', [logProbabilities]), oneHot);
  return { loss, logitsGradient: mul(b, difference, b.op('Unsqueeze', [weights, b.axes([-1])])) };
}
