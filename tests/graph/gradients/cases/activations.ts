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
];
