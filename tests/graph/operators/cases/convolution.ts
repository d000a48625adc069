import { type Attributes, type Dim, int, ints, text } from '../../../../graph/ir.ts';
import { type GradientCase, real } from '../../../support/gradient-case.ts';

interface Settings {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: Attributes;
  readonly shape?: readonly Dim[];
  readonly bias?: boolean;
}

const conv = (title: string, { input, weight, attributes, shape, bias = true }: Settings): GradientCase => ({
  title,
  op: 'Conv',
  inputs: [real(input, { shape: shape ?? input }), real(weight), ...(bias ? [real([weight[0]!])] : [])],
  attributes,
  linear: true,
});

const oneDimensional: GradientCase[] = [
  conv('1-D', { input: [2, 2, 6], weight: [3, 2, 3] }),
  conv('1-D without bias', { input: [2, 2, 6], weight: [3, 2, 3], bias: false }),
  conv('1-D with stride', { input: [2, 2, 7], weight: [3, 2, 3], attributes: { strides: ints([2]) } }),
  conv('1-D with a stride that leaves elements over', {
    input: [1, 2, 9],
    weight: [2, 2, 3],
    attributes: { strides: ints([4]) },
  }),
  conv('1-D with dilation', { input: [1, 2, 8], weight: [2, 2, 3], attributes: { dilations: ints([2]) } }),
  conv('1-D with uneven pads', { input: [1, 2, 5], weight: [2, 2, 3], attributes: { pads: ints([2, 1]) } }),
  conv('1-D with pads, stride and dilation', {
    input: [2, 2, 9],
    weight: [2, 2, 3],
    attributes: { pads: ints([1, 2]), strides: ints([2]), dilations: ints([2]) },
  }),
  conv('1-D with groups', { input: [2, 4, 6], weight: [6, 2, 3], attributes: { group: int(2) } }),
  conv('1-D over frames of unknown number', {
    input: [2, 3, 7],
    shape: ['batch', 3, 'frames'],
    weight: [2, 3, 3],
    attributes: { pads: ints([1, 1]) },
  }),
  conv('1-D with stride over frames of unknown number', {
    input: [2, 3, 10],
    shape: ['batch', 3, 'frames'],
    weight: [2, 3, 5],
    attributes: { strides: ints([3]), pads: ints([2, 2]) },
  }),
  conv('1-D with groups and stride over frames of unknown number', {
    input: [2, 4, 8],
    shape: ['batch', 4, 'frames'],
    weight: [4, 2, 3],
    attributes: { strides: ints([2]), group: int(2) },
  }),
  conv('1-D SAME over frames of unknown number', {
    input: [1, 2, 5],
    shape: ['batch', 2, 'frames'],
    weight: [2, 2, 4],
    attributes: { auto_pad: text('SAME_UPPER') },
  }),
];

const twoDimensional: GradientCase[] = [
  conv('2-D', { input: [2, 2, 4, 5], weight: [3, 2, 3, 3] }),
  conv('2-D, a kernel of 1', { input: [2, 3, 3, 3], weight: [2, 3, 1, 1] }),
  conv('2-D, a kernel as large as the image', { input: [2, 2, 3, 3], weight: [2, 2, 3, 3] }),
  conv('2-D with uneven kernel, strides, pads and dilations', {
    input: [2, 2, 6, 7],
    weight: [2, 2, 2, 3],
    attributes: { strides: ints([2, 3]), pads: ints([1, 0, 0, 2]), dilations: ints([2, 1]) },
  }),
  conv('2-D with groups', { input: [2, 4, 4, 4], weight: [4, 2, 3, 3], attributes: { group: int(2) } }),
  conv('2-D depthwise', { input: [1, 3, 4, 4], weight: [3, 1, 2, 2], attributes: { group: int(3) } }),
  conv('2-D depthwise with several filters each', {
    input: [1, 2, 4, 4],
    weight: [4, 1, 2, 2],
    attributes: { group: int(2) },
  }),
  conv('2-D SAME_UPPER with stride', {
    input: [1, 2, 5, 6],
    weight: [2, 2, 3, 2],
    attributes: { auto_pad: text('SAME_UPPER'), strides: ints([2, 2]) },
  }),
  conv('2-D SAME_LOWER with stride', {
    input: [1, 2, 6, 5],
    weight: [2, 2, 3, 2],
    attributes: { auto_pad: text('SAME_LOWER'), strides: ints([2, 2]) },
  }),
  conv('2-D SAME_LOWER with an even kernel', {
    input: [1, 1, 4, 4],
    weight: [2, 1, 2, 2],
    attributes: { auto_pad: text('SAME_LOWER') },
  }),
  conv('2-D VALID', { input: [1, 2, 4, 4], weight: [2, 2, 3, 3], attributes: { auto_pad: text('VALID') } }),
  conv('2-D with a batch of unknown size', { input: [2, 2, 4, 4], shape: ['batch', 2, 4, 4], weight: [2, 2, 3, 3] }),
  conv('2-D, every size but the channels unknown', {
    input: [2, 2, 5, 4],
    shape: ['batch', 2, 'height', 'width'],
    weight: [2, 2, 3, 3],
    attributes: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  }),
];

const transposed = (title: string, settings: Settings): GradientCase => ({
  ...conv(title, { ...settings, bias: false }),
  op: 'ConvTranspose',
  inputs: [
    real(settings.input, { shape: settings.shape ?? settings.input }),
    real(settings.weight),
    real([settings.weight[1]! * (settings.attributes?.group?.kind === 'int' ? settings.attributes.group.value : 1)]),
  ],
});

const transposedCases: GradientCase[] = [
  transposed('1-D', { input: [2, 3, 4], weight: [3, 2, 3] }),
  transposed('1-D, strided, padded, dilated, of unknown length', {
    input: [2, 2, 4],
    shape: ['batch', 2, 'frames'],
    weight: [2, 3, 3],
    attributes: { strides: ints([2]), pads: ints([1, 2]), dilations: ints([2]) },
  }),
  transposed('2-D with output padding', {
    input: [2, 2, 3, 3],
    weight: [2, 2, 3, 3],
    attributes: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), output_padding: ints([1, 1]) },
  }),
  transposed('2-D in groups', { input: [1, 4, 3, 2], weight: [4, 1, 2, 2], attributes: { group: int(2) } }),
  transposed('2-D with many channels', { input: [1, 2, 2, 2], weight: [2, 16, 2, 2] }),
];

export const convolutionCases: readonly GradientCase[] = [
  ...oneDimensional,
  ...twoDimensional,
  ...transposedCases,
  conv('3-D', { input: [1, 2, 3, 3, 3], weight: [2, 2, 2, 2, 2], attributes: { strides: ints([1, 2, 1]) } }),
];
