import { int, int64Tensor, ints, text } from '../../../../graph/ir.ts';
import { type GradientCase, given, real } from '../../../support/gradient-case.ts';

const image = () => real([2, 8, 2, 3], { shape: ['batch', 8, 2, 3] });

const vector = (...values: number[]) => int64Tensor([values.length], values);

const cases: readonly GradientCase[] = [
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
  { title: 'two axes', op: 'Tile', inputs: [real([2, 3]), vector(2, 3)] },
  {
    title: 'unknown sizes',
    op: 'Tile',
    inputs: [real([2, 3, 2], { shape: ['n', 't', 2] }), vector(1, 2, 1)],
  },
  { title: 'repeats known when the graph runs', op: 'Tile', inputs: [real([1, 3]), given([2], [2, 3])] },
  {
    title: 'unknown sizes and repeats',
    op: 'Tile',
    inputs: [real([2, 3], { shape: ['n', 't'] }), given([2], [2, 2])],
  },
  { title: 'depth first', op: 'DepthToSpace', inputs: [image()], attributes: { blocksize: int(2) } },
  {
    title: 'column first, as pixel shuffles are',
    op: 'DepthToSpace',
    inputs: [image()],
    attributes: { blocksize: int(2), mode: text('CRD') },
  },
  {
    title: 'blocks of 2',
    op: 'SpaceToDepth',
    inputs: [real([2, 2, 4, 2])],
    attributes: { blocksize: int(2) },
  },
  { title: 'upper', op: 'Trilu', inputs: [real([2, 3, 3])] },
  {
    title: 'lower, from below the diagonal',
    op: 'Trilu',
    inputs: [real([3, 4]), int64Tensor([], [-1])],
    attributes: { upper: int(0) },
  },
];

export const rearrangementCases: readonly GradientCase[] = cases.map((gradientCase) => ({
  ...gradientCase,
  linear: true,
}));
