import { type Attributes, type Dim, int, ints, text } from '../../../../graph/ir.ts';
import { distinct, type GradientCase, real } from '../../../support/gradient-case.ts';

interface Settings {
  readonly input: readonly number[];
  readonly attributes: Attributes;
  readonly shape?: readonly Dim[];
}

const windows: Readonly<Record<string, Settings>> = {
  'windows that tile the image': {
    input: [2, 2, 4, 4],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
  },
  'uneven windows that tile the image': {
    input: [1, 2, 4, 6],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 3]) },
  },
  'windows that leave a border over': {
    input: [1, 2, 5, 5],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
  },
  'overlapping windows': { input: [2, 2, 5, 5], attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]) } },
  'default strides': { input: [1, 2, 4, 4], attributes: { kernel_shape: ints([2, 3]) } },
  'windows apart from each other': {
    input: [1, 1, 7, 7],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([3, 3]) },
  },
  'padded windows': {
    input: [1, 2, 4, 5],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  },
  'unevenly padded windows': {
    input: [1, 2, 4, 4],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([1, 2]), pads: ints([1, 0, 0, 2]) },
  },
  'dilated windows': {
    input: [1, 2, 6, 6],
    attributes: { kernel_shape: ints([2, 2]), dilations: ints([2, 3]), strides: ints([1, 2]) },
  },
  SAME_UPPER: {
    input: [1, 2, 5, 5],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: text('SAME_UPPER') },
  },
  SAME_LOWER: {
    input: [1, 2, 5, 5],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: text('SAME_LOWER') },
  },
  ceil_mode: {
    input: [1, 2, 6, 5],
    attributes: { kernel_shape: ints([3, 2]), strides: ints([2, 2]), ceil_mode: int(1) },
  },
  'ceil_mode with pads': {
    input: [1, 1, 6, 6],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), ceil_mode: int(1) },
  },
  'ceil_mode over frames of unknown number': {
    input: [1, 2, 6],
    shape: [1, 2, 'frames'],
    attributes: { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) },
  },
  'a batch of unknown size': {
    input: [2, 2, 4, 4],
    shape: ['batch', 2, 4, 4],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
  },
  'an image of unknown size': {
    input: [1, 2, 5, 4],
    shape: ['batch', 2, 'height', 'width'],
    attributes: { kernel_shape: ints([3, 2]), strides: ints([2, 2]), pads: ints([1, 0, 1, 0]) },
  },
  '1-D': { input: [2, 2, 6], attributes: { kernel_shape: ints([3]), strides: ints([2]) } },
  '3-D': { input: [1, 1, 3, 3, 3], attributes: { kernel_shape: ints([2, 2, 2]) } },
};

const global: readonly [string, readonly number[], readonly Dim[]][] = [
  ['an image', [2, 3, 2, 3], [2, 3, 2, 3]],
  ['frames', [2, 3, 4], [2, 3, 4]],
  ['an image of unknown size', [2, 2, 2, 3], ['batch', 2, 'height', 'width']],
];

export const poolingCases: readonly GradientCase[] = [
  ...Object.entries(windows).map(
    ([title, { input, attributes, shape = input }]): GradientCase => ({
      title,
      op: 'MaxPool',
      inputs: [distinct(input, { shape })],
      attributes,
    }),
  ),
  ...Object.entries(windows).flatMap(([title, { input, attributes, shape = input }]) =>
    [0, 1].map(
      (counted): GradientCase => ({
        title: `${title}, ${counted ? 'counting' : 'not counting'} pads`,
        op: 'AveragePool',
        inputs: [real(input, { shape })],
        attributes: { ...attributes, count_include_pad: int(counted) },
        linear: true,
      }),
    ),
  ),
  ...global.flatMap(([title, input, shape]): GradientCase[] => [
    { title, op: 'GlobalAveragePool', inputs: [real(input, { shape })], linear: true },
    { title, op: 'GlobalMaxPool', inputs: [distinct(input, { shape })] },
  ]),
];
