import { int, int64Tensor, text } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

const image = () => real([2, 8, 2, 3], { shape: ['batch', 8, 2, 3] });

export const rearrangementCases: readonly GradientCase[] = [
  { title: 'two axes', op: 'Tile', inputs: [real([2, 3]), int64Tensor([2], [2, 3])], linear: true },
  {
    title: 'unknown sizes',
    op: 'Tile',
    inputs: [real([2, 3, 2], { shape: ['n', 't', 2] }), int64Tensor([3], [1, 2, 1])],
    linear: true,
  },
  { title: 'depth first', op: 'DepthToSpace', inputs: [image()], attributes: { blocksize: int(2) }, linear: true },
  {
    title: 'column first, as pixel shuffles are',
    op: 'DepthToSpace',
    inputs: [image()],
    attributes: { blocksize: int(2), mode: text('CRD') },
    linear: true,
  },
  {
    title: 'blocks of 2',
    op: 'SpaceToDepth',
    inputs: [real([2, 2, 4, 2])],
    attributes: { blocksize: int(2) },
    linear: true,
  },
  { title: 'upper', op: 'Trilu', inputs: [real([2, 3, 3])], linear: true },
  {
    title: 'lower, from below the diagonal',
    op: 'Trilu',
    inputs: [real([3, 4]), int64Tensor([], [-1])],
    attributes: { upper: int(0) },
    linear: true,
  },
];
