import { int } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

export const softmaxCases: readonly GradientCase[] = ['Softmax', 'LogSoftmax'].flatMap((op): GradientCase[] => [
  { title: 'default axis', op, inputs: [real([2, 4])] },
  { title: 'an inner axis', op, inputs: [real([2, 3, 2])], attributes: { axis: int(1) } },
  { title: 'the first axis', op, inputs: [real([3, 2])], attributes: { axis: int(0) } },
  { title: 'a negative axis', op, inputs: [real([2, 3, 2])], attributes: { axis: int(-2) } },
  { title: 'large logits', op, inputs: [real([2, 3], { values: [30, 31, -20, 60, 59, 61] })] },
  { title: 'unknown sizes', op, inputs: [real([2, 3, 4], { shape: ['batch', 'frames', 'frames'] })] },
]);
