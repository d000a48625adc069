import type { GraphBuilder } from '../builder.ts';
import { add, mul, neg, sub } from '../expressions.ts';
import { int } from '../ir.ts';
import type { LossValues } from './loss.ts';

/**
 * Mean over all elements of the binary cross-entropy of sigmoid(logit), for any number of labels per example. Written as
 * max(x, 0) − x·target + log(1 + e^(−|x|)), which no logit overflows.
 * @param target float32 in [0, 1], shape of the logits
 */
export function binaryCrossEntropy(b: GraphBuilder, logits: string, target: string): LossValues {
  const positive = b.op('Max', [logits, b.scalar(0)]);
  const tail = b.op('Log', [add(b, b.scalar(1), b.op('Exp', [neg(b, b.op('Abs', [logits]))]))]);
  const elements = add(b, sub(b, positive, mul(b, logits, target)), tail);
  const loss = b.op('ReduceMean', [elements], { keepdims: int(0) });
  const count = b.op('Cast', [b.op('Size', [logits])], { to: int(1) });
  return { loss, logitsGradient: b.op('Div', [sub(b, b.op('Sigmoid', [logits]), target), count]) };
}
