import { float, text } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

const offZero = { avoid: [0] };

export const activationCases: readonly GradientCase[] = [
  { title: 'away from 0', op: 'Relu', inputs: [real([2, 5], offZero)] },
  { title: 'tiny and huge values', op: 'Relu', inputs: [real([4], { values: [1e-2, -1e-2, 1e6, -1e6] })] },
  { title: 'default slope', op: 'LeakyRelu', inputs: [real([2, 5], offZero)] },
  { title: 'given slope', op: 'LeakyRelu', inputs: [real([2, 5], offZero)], attributes: { alpha: float(0.3) } },
  { title: 'default scale', op: 'Elu', inputs: [real([2, 5], offZero)] },
  { title: 'given scale', op: 'Elu', inputs: [real([2, 5], offZero)], attributes: { alpha: float(0.7) } },
  { title: 'elementwise', op: 'Sigmoid', inputs: [real([2, 5])] },
  { title: 'elementwise', op: 'Tanh', inputs: [real([2, 5])] },
  { title: 'elementwise', op: 'Softplus', inputs: [real([2, 5])] },
  { title: 'away from 0', op: 'Softsign', inputs: [real([2, 5], offZero)] },
  { title: 'elementwise', op: 'Erf', inputs: [real([2, 5])] },
  { title: 'exact', op: 'Gelu', inputs: [real([2, 5], { low: -3, high: 3 })] },
  {
    title: 'tanh',
    op: 'Gelu',
    inputs: [real([2, 5], { low: -3, high: 3 })],
    attributes: { approximate: text('tanh') },
  },
  { title: 'one slope', op: 'PRelu', inputs: [real([2, 3, 4], offZero), real([1])] },
  { title: 'a slope per channel', op: 'PRelu', inputs: [real([2, 3, 4], offZero), real([3, 1])] },
  { title: 'unknown batch', op: 'PRelu', inputs: [real([2, 3], { shape: ['n', 3], ...offZero }), real([3])] },
  { title: 'default scales', op: 'Selu', inputs: [real([2, 5], offZero)] },
  {
    title: 'given scales',
    op: 'Selu',
    inputs: [real([2, 5], offZero)],
    attributes: { alpha: float(0.5), gamma: float(2) },
  },
  { title: 'default scale', op: 'Celu', inputs: [real([2, 5], offZero)] },
  { title: 'given scale', op: 'Celu', inputs: [real([2, 5], offZero)], attributes: { alpha: float(0.7) } },
  { title: 'default threshold', op: 'ThresholdedRelu', inputs: [real([2, 5], { avoid: [1] })] },
  {
    title: 'a negative threshold',
    op: 'ThresholdedRelu',
    inputs: [real([2, 5], { avoid: [-0.5] })],
    attributes: { alpha: float(-0.5) },
  },
  { title: 'with saturated ends', op: 'HardSigmoid', inputs: [real([3, 5], { low: -4, high: 4, avoid: [-2.5, 2.5] })] },
  {
    title: 'given line',
    op: 'HardSigmoid',
    inputs: [real([2, 5], { avoid: [-1, 1] })],
    attributes: { alpha: float(0.5), beta: float(0.5) },
  },
  { title: 'all three pieces', op: 'HardSwish', inputs: [real([3, 5], { low: -5, high: 5, avoid: [-3, 3] })] },
  { title: 'elementwise', op: 'Mish', inputs: [real([2, 5])] },
];
