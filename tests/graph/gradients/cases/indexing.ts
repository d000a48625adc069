import { int, int64Tensor, text } from '../../../../graph/ir.ts';
import { type GradientCase, given, real } from '../../../support/gradient-case.ts';

export const indexingCases: readonly GradientCase[] = [
  {
    title: 'a repeated element',
    op: 'GatherElements',
    inputs: [real([3, 2]), given([2, 2], [0, 2, 0, 1])],
    linear: true,
  },
  {
    title: 'the last axis by a negative number',
    op: 'GatherElements',
    inputs: [real([2, 3], { shape: ['n', 3] }), int64Tensor([2, 1], [2, -1])],
    attributes: { axis: int(-1) },
    linear: true,
  },
  {
    title: 'single elements, one of them twice',
    op: 'GatherND',
    inputs: [real([2, 3]), given([3, 2], [0, 1, 1, 2, 0, 1])],
    linear: true,
  },
  { title: 'rows', op: 'GatherND', inputs: [real([3, 2]), given([2, 2, 1], [2, 0, 1, 2])], linear: true },
  {
    title: 'written',
    op: 'ScatterElements',
    inputs: [real([3, 2]), given([2, 2], [0, 2, 1, 1]), real([2, 2])],
    linear: true,
  },
  {
    title: 'added along the last axis',
    op: 'ScatterElements',
    inputs: [real([2, 3]), given([2, 2], [0, 0, 2, 1]), real([2, 2])],
    attributes: { axis: int(1), reduction: text('add') },
    linear: true,
  },
  { title: 'rows written', op: 'ScatterND', inputs: [real([3, 2]), given([2, 1], [2, 0]), real([2, 2])], linear: true },
  {
    title: 'elements added, two of them in one place',
    op: 'ScatterND',
    inputs: [real([2, 2]), given([3, 2], [0, 1, 0, 1, 1, 0]), real([3])],
    attributes: { reduction: text('add') },
    linear: true,
  },
];
