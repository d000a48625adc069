import { type Attributes, int, int64Tensor } from '../../../../graph/ir.ts';
import { type GradientCase, given, real } from '../../../support/gradient-case.ts';

const vector = (...values: number[]) => int64Tensor([values.length], values);
const axis = (value: number): Attributes => ({ axis: int(value) });

const cases: readonly GradientCase[] = [
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
];

export const reshapingCases: readonly GradientCase[] = cases.map((gradientCase) => ({ ...gradientCase, linear: true }));
