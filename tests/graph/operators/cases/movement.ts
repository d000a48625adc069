import { type Attributes, float32Tensor, int, int64Tensor, ints } from '../../../../graph/ir.ts';
import { type CaseInput, type GradientCase, given, real } from '../../../support/gradient-case.ts';

const vector = (...values: number[]) => int64Tensor([values.length], values);
const axis = (value: number): Attributes => ({ axis: int(value) });

const views: GradientCase[] = [
  { title: 'to known sizes', op: 'Reshape', inputs: [real([2, 6]), vector(3, 4)] },
  {
    title: 'with a copied and an inferred size',
    op: 'Reshape',
    inputs: [real([2, 3, 4], { shape: ['n', 3, 4] }), vector(0, -1)],
  },
  { title: 'merging unknown sizes', op: 'Reshape', inputs: [real([2, 3, 4], { shape: ['n', 't', 4] }), vector(-1, 4)] },
  { title: 'to a shape known when the graph runs', op: 'Reshape', inputs: [real([2, 6]), given([3], [2, 3, 2])] },
  { title: 'default axis', op: 'Flatten', inputs: [real([2, 3, 2])] },
  { title: 'axis 0', op: 'Flatten', inputs: [real([2, 3])], attributes: axis(0) },
  {
    title: 'a negative axis and an unknown batch',
    op: 'Flatten',
    inputs: [real([2, 3, 2], { shape: ['n', 3, 2] })],
    attributes: axis(-1),
  },
  { title: 'given axes', op: 'Squeeze', inputs: [real([1, 3, 1, 2]), vector(0, -2)] },
  { title: 'every axis of size 1', op: 'Squeeze', inputs: [real([1, 3, 1])] },
  { title: 'axes of the result, one negative', op: 'Unsqueeze', inputs: [real([2, 3]), vector(-1, 0)] },
  { title: 'unknown sizes', op: 'Unsqueeze', inputs: [real([2, 3], { shape: ['n', 't'] }), vector(1)] },
  { title: 'as it is', op: 'Identity', inputs: [real([2, 3])] },
  { title: 'to float32', op: 'Cast', inputs: [real([2, 3])], attributes: { to: int(1) } },
  { title: 'reversed axes', op: 'Transpose', inputs: [real([2, 3, 4])] },
  { title: 'a cyclic permutation', op: 'Transpose', inputs: [real([2, 3, 4])], attributes: { perm: ints([1, 2, 0]) } },
  {
    title: 'unknown sizes',
    op: 'Transpose',
    inputs: [real([2, 3, 2, 2], { shape: ['n', 't', 2, 2] })],
    attributes: { perm: ints([0, 2, 1, 3]) },
  },
  { title: 'to a larger shape', op: 'Expand', inputs: [real([3, 1]), vector(2, 3, 4)] },
  { title: 'where the target has the ones', op: 'Expand', inputs: [real([2, 1, 3]), vector(1, 2, 1)] },
  { title: 'unknown sizes', op: 'Expand', inputs: [real([2, 1], { shape: ['n', 1] }), vector(1, 3)] },
  { title: 'to a shape known when the graph runs', op: 'Expand', inputs: [real([2, 1]), given([2], [2, 3])] },
];

const joins: GradientCase[] = [
  { title: 'three parts', op: 'Concat', inputs: [real([2, 1]), real([2, 3]), real([2, 2])], attributes: axis(1) },
  { title: 'a negative axis', op: 'Concat', inputs: [real([2, 1, 2]), real([2, 1, 3])], attributes: axis(-1) },
  {
    title: 'a constant part',
    op: 'Concat',
    inputs: [float32Tensor([1, 2], [1, 2]), real([2, 2])],
    attributes: axis(0),
  },
  {
    title: 'parts of unknown length',
    op: 'Concat',
    inputs: [real([2, 3], { shape: ['n', 't'] }), real([2, 2], { shape: ['n', 'u'] }), real([2, 1])],
    attributes: axis(1),
  },
  {
    title: 'even parts',
    op: 'Split',
    inputs: [real([4, 3])],
    attributes: { ...axis(0), num_outputs: int(2) },
    outputs: 2,
    cotangents: [0, 1],
  },
  {
    title: 'a smaller last part',
    op: 'Split',
    inputs: [real([2, 5])],
    attributes: { ...axis(1), num_outputs: int(3) },
    outputs: 3,
    cotangents: [0, 1, 2],
  },
  {
    title: 'given sizes',
    op: 'Split',
    inputs: [real([2, 6]), vector(1, 3, 2)],
    attributes: axis(-1),
    outputs: 3,
    cotangents: [0, 1, 2],
  },
  {
    title: 'only one part used',
    op: 'Split',
    inputs: [real([2, 6]), vector(1, 3, 2)],
    attributes: axis(1),
    outputs: 3,
    cotangents: [1],
  },
  {
    title: 'the first part unused, unknown sizes',
    op: 'Split',
    inputs: [real([2, 3, 4], { shape: ['n', 't', 4] }), vector(1, 3)],
    attributes: axis(2),
    outputs: 2,
    cotangents: [1],
  },
];

const slice = (title: string, input: CaseInput, ...bounds: CaseInput[]): GradientCase => ({
  title,
  op: 'Slice',
  inputs: [input, ...bounds],
});

const slices: GradientCase[] = [
  slice('one axis', real([4, 3]), vector(1), vector(3), vector(0)),
  slice('no axes named', real([4, 3]), vector(1, 0), vector(3, 2)),
  slice('a step', real([2, 7]), vector(1), vector(7), vector(1), vector(2)),
  slice('a negative start', real([5]), vector(-3), vector(2 ** 31), vector(0)),
  slice('an end at the largest int64', real([2, 5]), vector(1), vector(2 ** 63), vector(1)),
  slice('a negative end', real([2, 5]), vector(0), vector(-2), vector(-1)),
  slice('backwards', real([5]), vector(-1), vector(-(2 ** 40)), vector(0), vector(-1)),
  slice('backwards by two', real([2, 6]), vector(4), vector(0), vector(1), vector(-2)),
  slice('several axes with steps', real([4, 3, 5]), vector(0, 1), vector(4, 5), vector(0, 2), vector(3, 2)),
  slice('an end beyond the axis', real([3, 2]), vector(1), vector(100), vector(0)),
  slice('frames of unknown number', real([2, 5, 2], { shape: ['n', 't', 2] }), vector(1), vector(2 ** 31), vector(1)),
  slice(
    'frames of unknown number, from the end',
    real([2, 5], { shape: ['n', 't'] }),
    vector(-2),
    vector(2 ** 31),
    vector(1),
  ),
  slice(
    'every second of an unknown number of frames',
    real([2, 5], { shape: ['n', 't'] }),
    vector(0),
    vector(2 ** 31),
    vector(1),
    vector(2),
  ),
  slice('bounds known when the graph runs', real([6, 2]), given([1], [1]), given([1], [4]), vector(0)),
];

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

const pads: GradientCase[] = [];

export const movementCases: readonly GradientCase[] = [...views, ...joins, ...slices, ...gathers, ...pads].map(
  (gradientCase) => ({ ...gradientCase, linear: true }),
);
