import type { GraphBuilder } from '../builder.ts';
import { mul, neg, reduceSum, sub } from '../expressions.ts';
import { float32Tensor, int } from '../ir.ts';
import type { LossValues } from './loss.ts';
import { hasOptions, softTargets } from './soft-targets.ts';
import type { CrossEntropyOptions } from './spec.ts';

/**
 * Mean softmax cross-entropy.
 * @param logits float32 [batch, classes]
 * @param labels integer [batch], 0 … classes − 1
 * @throws ModelError unless there are as many class weights as classes
 */
export function crossEntropy(
  b: GraphBuilder,
  logits: string,
  labels: string,
  options: CrossEntropyOptions = {},
): LossValues {
  const classes = b.shape(logits)[1]!;
  const depth =
    typeof classes === 'number' ? b.index(classes) : b.op('Squeeze', [b.op('Shape', [logits], { start: int(1) })]);
  const oneHot = b.op('OneHot', [labels, depth, b.constant(float32Tensor([2], [0, 1]))]);
  if (hasOptions(options)) {
    return softCrossEntropy(b, b.op('LogSoftmax', [logits], { axis: int(-1) }), oneHot, options);
  }
  // ONNX has an operator for this, which onnxruntime takes apart into three times as many.
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
  const ofLabels = b.op('GatherElements', [logProbabilities, b.op('Unsqueeze', [labels, b.axes([1])])], {
    axis: int(1),
  });
  const batch = b.op('Cast', [b.op('Size', [labels])], { to: int(1) });
  const difference = sub(b, b.op('Exp', [logProbabilities]), oneHot);
  return {
    loss: neg(b, b.op('ReduceMean', [ofLabels], { keepdims: int(0) })),
    logitsGradient: b.op('Div', [difference, batch]),
  };
}

/**
 * Mean over rows, each with its weight, of −Σ targets · log p.
 * @param counted float32, 1 for a row that counts and 0 for one that does not, shape of the rows; default: all count
 */
export function softCrossEntropy(
  b: GraphBuilder,
  logProbabilities: string,
  oneHot: string,
  options: CrossEntropyOptions,
  counted?: string,
): LossValues {
  const soft = softTargets(b, oneHot, options);
  const rows = Array.from({ length: b.rank(oneHot) - 1 }, (_, i) => i);
  const masked = (value: string) =>
    counted === undefined ? value : mul(b, value, b.op('Unsqueeze', [counted, b.axes([-1])]));
  const targets = masked(soft.targets);
  const rowWeights = counted === undefined ? soft.rowWeights : mul(b, soft.rowWeights, counted);
  // Where every weight is 0 there is nothing to learn, rather than 0 / 0.
  const total = b.op('Max', [reduceSum(b, rowWeights, rows, false), b.scalar(1e-30)]);
  const sum = reduceSum(b, mul(b, targets, logProbabilities), [...rows, rows.length], false);
  const difference = sub(b, mul(b, b.op('Exp', [logProbabilities]), masked(soft.rowSums)), targets);
  return { loss: neg(b, b.op('Div', [sum, total])), logitsGradient: b.op('Div', [difference, total]) };
}
