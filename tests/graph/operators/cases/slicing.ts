import { type Attributes, float32Tensor, int, int64Tensor } from '../../../../graph/ir.ts';
import { type CaseInput, type GradientCase, given, real } from '../../../support/gradient-case.ts';

const vector = (...values: number[]) => int64Tensor([values.length], values);
const axis = (value: number): Attributes => ({ axis: int(value) });

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

export const slicingCases: readonly GradientCase[] = [...joins, ...slices].map((gradientCase) => ({
  ...gradientCase,
  linear: true,
}));
