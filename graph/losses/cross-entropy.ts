import type { GraphBuilder } from '../builder.ts';
import { mul, neg, sub } from '../gradients/rule.ts';
import { float32Tensor, int } from '../ir.ts';
import type { LossValues } from './loss.ts';

/**
 * Mean softmax cross-entropy.
 * @param logits float32 [batch, classes]
 * @param labels integer [batch], 0 … classes − 1
 */
export function crossEntropy(b: GraphBuilder, logits: string, labels: string): LossValues {
  const classes = b.shape(logits)[1]!;
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
  const depth =
    typeof classes === 'number' ? b.index(classes) : b.op('Squeeze', [b.op('Shape', [logits], { start: int(1) })]);
  const oneHot = b.op('OneHot', [labels, depth, b.constant(float32Tensor([2], [0, 1]))]);
  const perExample = neg(b, b.op('ReduceSum', [mul(b, oneHot, logProbabilities), b.axes([1])], { keepdims: int(0) }));
  const loss = b.op('ReduceMean', [perExample], { keepdims: int(0) });
  const batch = b.op('Cast', [b.op('Size', [perExample])], { to: int(1) });
  const difference = sub(b, b.op('Exp', [logProbabilities]), oneHot);
  return { loss, logitsGradient: b.op('Div', [difference, batch]) };
}
