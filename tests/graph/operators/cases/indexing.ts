import { int, int64Tensor, text } from '../../../../graph/ir.ts';
import { distinct, type GradientCase, given, real } from '../../../support/gradient-case.ts';

const count = (k: number) => int64Tensor([1], [k]);

const extremes: GradientCase[] = [
  { title: 'the two largest', op: 'TopK', inputs: [distinct([3, 4]), count(2)], outputs: 2 },
  {
    title: 'the smallest along another axis, in no order',
    op: 'TopK',
    inputs: [distinct([4, 3], { shape: ['n', 3] }), count(3)],
    attributes: { axis: int(0), largest: int(0), sorted: int(0) },
    outputs: 2,
  },
  { title: 'all of them, which sorts', op: 'TopK', inputs: [distinct([2, 3]), count(3)], outputs: 2 },
];

const reversed: GradientCase = {
  title: 'sequences of different lengths',
  op: 'ReverseSequence',
  inputs: [real([4, 3, 2], { shape: ['t', 'b', 2] }), given([3], [4, 1, 3])],
  attributes: { time_axis: int(0), batch_axis: int(1) },
  linear: true,
};

export const indexingCases: readonly GradientCase[] = [
  ...extremes,
  reversed,
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
