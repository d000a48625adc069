import { type Attributes, int, int64Tensor, text } from '../../../../graph/ir.ts';
import { distinct, type GradientCase, given, real } from '../../../support/gradient-case.ts';

const count = (k: number) => int64Tensor([1], [k]);

const axis = (value: number): Attributes => ({ axis: int(value) });

const gathers: GradientCase[] = [
  { title: 'repeated rows', op: 'Gather', inputs: [real([4, 3]), given([5], [1, 3, 1, 0, 1])] },
  { title: 'a scalar index', op: 'Gather', inputs: [real([4, 3]), int64Tensor([], [2])] },
  {
    title: 'a scalar index on the second axis',
    op: 'Gather',
    inputs: [real([2, 4]), int64Tensor([], [-1])],
    attributes: axis(1),
  },
  { title: 'negative indices', op: 'Gather', inputs: [real([4, 2]), given([3], [-1, 0, -1])] },
  { title: 'a matrix of tokens', op: 'Gather', inputs: [real([5, 2]), given([2, 3], [4, 0, 4, 1, 4, 0], ['n', 't'])] },
  { title: 'repeated columns', op: 'Gather', inputs: [real([2, 3]), given([4], [2, 2, 0, 2])], attributes: axis(1) },
  {
    title: 'a middle axis with a matrix of indices',
    op: 'Gather',
    inputs: [real([2, 3, 2]), given([2, 2], [0, 2, 2, 2])],
    attributes: axis(1),
  },
  {
    title: 'the last axis by a negative number',
    op: 'Gather',
    inputs: [real([2, 2, 4]), given([3], [3, 3, 1])],
    attributes: axis(-1),
  },
  {
    title: 'unknown sizes',
    op: 'Gather',
    inputs: [real([2, 3, 2], { shape: ['n', 't', 2] }), given([2], [1, 1])],
    attributes: axis(1),
  },
];

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
  ...gathers.map((gathered) => ({ ...gathered, linear: true })),
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
  {
    title: 'rows by 32-bit indices, one of them twice',
    op: 'Gather',
    inputs: [real([4, 3]), { dtype: 'int32', dims: [3], data: Int32Array.of(2, 0, 2) }],
    linear: true,
  },
  {
    title: 'columns by 32-bit indices',
    op: 'Gather',
    inputs: [real([2, 4]), { dtype: 'int32', dims: [2], data: Int32Array.of(3, -1) }],
    attributes: { axis: int(1) },
    linear: true,
  },
  { title: 'rows', op: 'GatherND', inputs: [real([3, 2]), given([2, 2, 1], [2, 0, 1, 2])], linear: true },
  {
    title: 'rows within each batch, one twice, batch unknown',
    op: 'GatherND',
    inputs: [real([2, 3, 2], { shape: ['n', 3, 2] }), given([2, 2, 1], [2, 2, 0, -1], ['n', 2, 1])],
    attributes: { batch_dims: int(1) },
    linear: true,
  },
  {
    title: 'one element of each of two batch axes',
    op: 'GatherND',
    inputs: [real([2, 2, 3]), given([2, 2, 1], [0, 2, 1, 1])],
    attributes: { batch_dims: int(2) },
    linear: true,
  },
  {
    title: 'elements by two indices within each batch',
    op: 'GatherND',
    inputs: [real([2, 3, 2]), given([2, 2, 2], [0, 1, 2, 0, 1, 1, 0, 0])],
    attributes: { batch_dims: int(1) },
    linear: true,
  },
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
