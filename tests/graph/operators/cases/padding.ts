import { type Attributes, float32Tensor, int64Tensor, text } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

const vector = (...values: number[]) => int64Tensor([values.length], values);
const mode = (name: string): Attributes => ({ mode: text(name) });

const constant: readonly GradientCase[] = [
  { title: 'zeros before and after', op: 'Pad', inputs: [real([2, 3]), vector(1, 0, 0, 2)], attributes: {} },
  { title: 'a given value', op: 'Pad', inputs: [real([2, 3]), vector(0, 1, 1, 1), float32Tensor([], [7])] },
  { title: 'negative pads, which cut', op: 'Pad', inputs: [real([3, 4]), vector(-1, 1, 0, -2)] },
  { title: 'named axes', op: 'Pad', inputs: [real([2, 3]), vector(1, 2), undefined, vector(-1)] },
  { title: 'frames of unknown number', op: 'Pad', inputs: [real([2, 3], { shape: ['n', 't'] }), vector(0, 2, 0, 1)] },
];

const copies: readonly GradientCase[] = ['reflect', 'edge', 'wrap'].flatMap((name): GradientCase[] => [
  { title: `${name}, one axis`, op: 'Pad', inputs: [real([2, 4]), vector(0, 2, 0, 3)], attributes: mode(name) },
  { title: `${name}, both axes`, op: 'Pad', inputs: [real([3, 4]), vector(2, 1, 1, 3)], attributes: mode(name) },
  {
    title: `${name}, an image of unknown size`,
    op: 'Pad',
    inputs: [real([2, 1, 3, 4], { shape: ['n', 1, 'h', 'w'] }), vector(0, 0, 1, 2, 0, 0, 2, 1)],
    attributes: mode(name),
  },
  {
    title: `${name}, named axes out of order`,
    op: 'Pad',
    inputs: [real([3, 2, 4]), vector(1, 2, 2, 1), undefined, vector(-1, 0)],
    attributes: mode(name),
  },
]);

export const paddingCases: readonly GradientCase[] = [...constant, ...copies].map((padding) => ({
  ...padding,
  linear: true,
}));
