import { float32Tensor } from '../../../../graph/ir.ts';
import { flags, type GradientCase, real } from '../../../support/gradient-case.ts';

export const logicCases: readonly GradientCase[] = [
  {
    title: 'equal shapes',
    op: 'Where',
    inputs: [flags([2, 2], [1, 0, 0, 1]), real([2, 2]), real([2, 2])],
    linear: true,
  },
  {
    title: 'a condition larger than both branches',
    op: 'Where',
    inputs: [flags([2, 3], [1, 0, 1, 0, 0, 1]), real([3]), real([])],
    linear: true,
  },
  {
    title: 'one constant branch',
    op: 'Where',
    inputs: [flags([3, 1], [1, 0, 1]), real([3, 2]), float32Tensor([], [-5])],
    linear: true,
  },
];
