import { float, int } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

/** Imported nodes are asked for their mean and inverse deviation, which the rule reads. */
const outputs = 3;

export const normalisationCases: readonly GradientCase[] = [
  { title: 'the last axis', op: 'LayerNormalization', inputs: [real([2, 5]), real([5]), real([5])], outputs },
  {
    title: 'the last two axes',
    op: 'LayerNormalization',
    inputs: [real([2, 3, 2]), real([3, 2]), real([3, 2])],
    attributes: { axis: int(1) },
    outputs,
  },
  {
    title: 'a negative axis and a large epsilon',
    op: 'LayerNormalization',
    inputs: [real([2, 3, 4]), real([4]), real([4])],
    attributes: { axis: int(-1), epsilon: float(0.5) },
    outputs,
  },
  { title: 'no bias', op: 'LayerNormalization', inputs: [real([3, 4]), real([4])], outputs },
  {
    title: 'unknown batch and frames',
    op: 'LayerNormalization',
    inputs: [real([2, 3, 4], { shape: ['batch', 'frames', 4] }), real([4]), real([4])],
    outputs,
  },
];
