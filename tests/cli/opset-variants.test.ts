import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { modelGradients } from '../../cli/model-gradients.ts';
import {
  type Attributes,
  elementCount,
  float,
  float32Tensor,
  type Graph,
  int,
  int64Tensor,
  ints,
  type Node,
  type Tensor,
  text,
} from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { namedStream } from '../../random/stream.ts';

/** One spelling of an operator and the operator sets that have it, from the first to the last. */
interface Variant {
  readonly title: string;
  readonly opsets: readonly [first: number, last: number];
  /** Sizes of the weight that the operator is applied to; a weight under a batch of 1. */
  readonly dims: readonly number[];
  readonly op: string;
  readonly attributes?: Attributes;
  /** Constants after the weight; undefined for an optional input left out. */
  readonly others?: readonly (Tensor | undefined)[];
  readonly outputs?: number;
}

const vector = (...values: number[]) => int64Tensor([values.length], values);
const real = (...values: number[]) => float32Tensor([values.length], values);
const table = (...dims: number[]) => float32Tensor(dims, draws(elementCount(dims), dims.join()));
const reductions = 'ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare ReduceProd'.split(
  ' ',
);

const variants: readonly Variant[] = [
  ...reductions.flatMap((op): Variant[] => [
    { title: 'axes as attribute', opsets: [11, 17], dims: [2, 3], op, attributes: { axes: ints([1]) } },
    { title: 'axes as input', opsets: [18, 21], dims: [2, 3], op, others: [vector(1)] },
  ]),
  { title: 'axes as attribute', opsets: [11, 12], dims: [2, 3], op: 'ReduceSum', attributes: { axes: ints([-1]) } },
  { title: 'axes as input', opsets: [13, 21], dims: [2, 3], op: 'ReduceSum', others: [vector(-1)] },
  { title: 'axes as attribute', opsets: [11, 12], dims: [2, 1, 3], op: 'Squeeze', attributes: { axes: ints([1]) } },
  { title: 'axes as input', opsets: [13, 21], dims: [2, 1, 3], op: 'Squeeze', others: [vector(1)] },
  { title: 'axes as attribute', opsets: [11, 12], dims: [2, 3], op: 'Unsqueeze', attributes: { axes: ints([0, 3]) } },
  { title: 'axes as input', opsets: [13, 21], dims: [2, 3], op: 'Unsqueeze', others: [vector(0, 3)] },
  ...['Softmax', 'LogSoftmax'].flatMap((op): Variant[] => [
    { title: 'all axes from 1 on by default', opsets: [11, 12], dims: [2, 3, 2], op },
    { title: 'all axes from −2 on', opsets: [11, 12], dims: [2, 3, 2], op, attributes: { axis: int(-2) } },
    { title: 'the last axis by default', opsets: [13, 21], dims: [2, 3, 2], op },
    { title: 'one axis', opsets: [13, 21], dims: [2, 3, 2], op, attributes: { axis: int(1) } },
  ]),
  {
    title: 'even by the outputs',
    opsets: [11, 17],
    dims: [2, 4],
    op: 'Split',
    attributes: { axis: int(1) },
    outputs: 2,
  },
  {
    title: 'sizes as attribute',
    opsets: [11, 12],
    dims: [2, 4],
    op: 'Split',
    attributes: { axis: int(1), split: ints([1, 3]) },
    outputs: 2,
  },
  {
    title: 'sizes as input',
    opsets: [13, 21],
    dims: [2, 4],
    op: 'Split',
    attributes: { axis: int(1) },
    others: [vector(1, 3)],
    outputs: 2,
  },
  {
    title: 'a number of outputs, the last smaller',
    opsets: [18, 21],
    dims: [2, 3],
    op: 'Split',
    attributes: { axis: int(1), num_outputs: int(2) },
    outputs: 2,
  },
  { title: 'pads of all axes', opsets: [11, 21], dims: [2, 3], op: 'Pad', others: [vector(0, 1, 1, 0)] },
  {
    title: 'reflected',
    opsets: [11, 21],
    dims: [2, 3],
    op: 'Pad',
    attributes: { mode: text('reflect') },
    others: [vector(0, 1, 0, 2)],
  },
  {
    title: 'pads of named axes',
    opsets: [18, 21],
    dims: [2, 3],
    op: 'Pad',
    others: [vector(1, 2), undefined, vector(1)],
  },
  {
    title: 'around',
    opsets: [19, 21],
    dims: [2, 3],
    op: 'Pad',
    attributes: { mode: text('wrap') },
    others: [vector(0, 1, 0, 2)],
  },
  {
    title: 'with a region of interest',
    opsets: [11, 21],
    dims: [1, 1, 2, 3],
    op: 'Resize',
    attributes: { mode: text('linear') },
    others: [real(), real(1, 1, 2, 2)],
  },
  {
    title: 'to sizes',
    opsets: [13, 21],
    dims: [1, 1, 2, 3],
    op: 'Resize',
    attributes: { mode: text('nearest'), coordinate_transformation_mode: text('asymmetric') },
    others: [undefined, undefined, vector(1, 1, 4, 5)],
  },
  {
    title: 'named axes',
    opsets: [18, 21],
    dims: [1, 1, 2, 3],
    op: 'Resize',
    attributes: { mode: text('linear'), axes: ints([2, 3]) },
    others: [undefined, real(2, 1.5)],
  },
  {
    title: 'stored statistics',
    opsets: [11, 21],
    dims: [2, 3, 2],
    op: 'BatchNormalization',
    others: [real(1, 2, 3), real(0, 1, 0), real(0.1, 0.2, 0.3), real(1, 0.5, 2)],
  },
  { title: 'ratio as attribute', opsets: [11, 11], dims: [2, 3], op: 'Dropout', attributes: { ratio: float(0.5) } },
  { title: 'ratio as input', opsets: [12, 21], dims: [2, 3], op: 'Dropout', others: [float32Tensor([], [0.5])] },
  { title: 'without a summand', opsets: [11, 21], dims: [2, 3], op: 'Gemm', others: [table(3, 2)] },
  {
    title: 'bounds as inputs',
    opsets: [11, 21],
    dims: [2, 3],
    op: 'Clip',
    others: [float32Tensor([], [-0.9]), undefined],
  },
  { title: 'zero keeps a size', opsets: [11, 21], dims: [2, 6], op: 'Reshape', others: [vector(0, 3, -1)] },
  { title: 'sums along an axis', opsets: [11, 21], dims: [2, 3], op: 'CumSum', others: [int64Tensor([], [1])] },
  { title: 'a float power', opsets: [11, 21], dims: [2, 3], op: 'Pow', others: [float32Tensor([], [2])] },
  { title: 'an integer power', opsets: [12, 21], dims: [2, 3], op: 'Pow', others: [int64Tensor([], [3])] },
  { title: 'values and indices', opsets: [11, 21], dims: [2, 4], op: 'TopK', others: [vector(2)], outputs: 2 },
  {
    title: 'written over',
    opsets: [11, 21],
    dims: [2, 3],
    op: 'ScatterElements',
    attributes: { axis: int(1) },
    others: [int64Tensor([2, 1], [0, 2]), table(2, 1)],
  },
  {
    title: 'added',
    opsets: [16, 21],
    dims: [2, 3],
    op: 'ScatterElements',
    attributes: { axis: int(1), reduction: text('add') },
    others: [int64Tensor([2, 1], [0, 2]), table(2, 1)],
  },
  {
    title: 'padded',
    opsets: [11, 21],
    dims: [1, 1, 4, 4],
    op: 'AveragePool',
    attributes: {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
      count_include_pad: int(1),
    },
  },
  {
    title: 'columns before rows',
    opsets: [11, 21],
    dims: [1, 4, 1, 2],
    op: 'DepthToSpace',
    attributes: { blocksize: int(2), mode: text('CRD') },
  },
  {
    title: 'an attention score',
    opsets: [12, 21],
    dims: [2, 3],
    op: 'Einsum',
    attributes: { equation: text('ij,kj->ik') },
    others: [table(4, 3)],
  },
  { title: 'the default α', opsets: [12, 21], dims: [2, 3], op: 'Celu' },
  { title: 'elementwise', opsets: [14, 21], dims: [2, 3], op: 'HardSwish' },
  { title: 'the lower triangle', opsets: [14, 21], dims: [3, 3], op: 'Trilu', attributes: { upper: int(0) } },
  { title: 'a scale per element', opsets: [17, 21], dims: [2, 3], op: 'LayerNormalization', others: [real(1, 2, 3)] },
  { title: 'elementwise', opsets: [18, 21], dims: [2, 3], op: 'Mish' },
  {
    title: 'a scale per group',
    opsets: [18, 20],
    dims: [2, 4, 3],
    op: 'GroupNormalization',
    attributes: { num_groups: int(2) },
    others: [real(1, 2), real(0, 1)],
  },
  {
    title: 'a scale per channel',
    opsets: [21, 21],
    dims: [2, 4, 3],
    op: 'GroupNormalization',
    attributes: { num_groups: int(2) },
    others: [real(1, 2, 3, 4), real(0, 1, 2, 3)],
  },
  { title: 'exact', opsets: [20, 21], dims: [2, 3], op: 'Gelu' },
  {
    title: 'of PyTorch',
    opsets: [11, 21],
    dims: [3, 1, 2],
    op: 'GRU',
    attributes: { hidden_size: int(2), linear_before_reset: int(1) },
    others: [table(1, 6, 2), table(1, 6, 2)],
  },
  {
    title: 'of PyTorch',
    opsets: [11, 21],
    dims: [3, 1, 2],
    op: 'LSTM',
    attributes: { hidden_size: int(2) },
    others: [table(1, 8, 2), table(1, 8, 2)],
  },
];

/** Numbers in ±(0.3 … 1.3), all different, away from the kinks at 0. */
function draws(count: number, key: string): number[] {
  const stream = namedStream('opset variants', key);
  return Array.from(
    { length: count },
    (_, i) => (stream.uniform() < 0.5 ? -1 : 1) * (0.3 + (i + stream.uniform() / 2) / count),
  );
}

/** The last output of the operator applied to x·w, as a graph: w is a constant, or an input. */
function graphOf(
  { op, dims, attributes = {}, others = [], outputs = 1, title }: Variant,
  weight: Tensor,
  asInput: boolean,
): Graph {
  const constants = new Map<string, Tensor>();
  if (!asInput) constants.set('w', weight);
  const names = others.map((tensor, i) => {
    if (tensor) constants.set(`other_${i}`, tensor);
    return tensor ? `other_${i}` : '';
  });
  const results = Array.from({ length: outputs }, (_, i) => `result_${i}`);
  const node = (name: string, opType: string, inputs: string[], written: string[], more: Attributes = {}): Node => ({
    name,
    op: opType,
    domain: '',
    inputs,
    outputs: written,
    attributes: more,
  });
  const chosen = op === 'TopK' ? results[0]! : results.at(-1)!;
  return {
    name: title,
    inputs: [
      { name: 'x', dtype: 'float32', shape: [1] },
      ...(asInput ? [{ name: 'w', dtype: 'float32' as const, shape: dims }] : []),
    ],
    outputs: [{ name: 'y', dtype: 'float32', shape: [] }],
    nodes: [
      node('scaled', 'Mul', ['x', 'w'], ['xw']),
      node('variant', op, ['xw', ...names], results, attributes),
      node('named', 'Identity', [chosen], ['y']),
    ],
    constants,
  };
}

const both = variants.flatMap((variant) =>
  [...new Set(variant.opsets)].map((opset) => ({
    ...variant,
    opset,
    name: `${variant.op}, ${variant.title} (${opset})`,
  })),
);

describe('every spelling of an operator has the gradient of what onnxruntime computes for the file', () => {
  test.each(both)('$name', async ({ opset, ...variant }) => {
    const weight = float32Tensor(variant.dims, draws(elementCount(variant.dims), variant.op));
    const asItIs = encodeModel({ graph: graphOf(variant, weight, true), opset, weights: [] });
    const session = await ort.InferenceSession.create(asItIs, {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 4,
    });
    const x = new ort.Tensor('float32', Float32Array.of(1), [1]);
    const run = async (values: ArrayLike<number>) => {
      const { y } = await session.run({ x, w: new ort.Tensor('float32', Float32Array.from(values), variant.dims) });
      return y!;
    };
    const { dims } = await run(weight.data as Float32Array);
    const target = draws(elementCount(dims), 'target');
    const loss = async (values: ArrayLike<number>) => {
      const { data } = await run(values);
      return target.reduce((sum, t, i) => sum + (Number(data[i]) - t) ** 2, 0) / target.length;
    };
    const found = await modelGradients(
      { graph: graphOf(variant, weight, false), opset, weights: ['w'] },
      {
        inputs: { x: { dims: [1], type: 'float32', data: [1] } },
        loss: { kind: 'mse', output: 'y', target: { dims: [...dims], type: 'float32', data: target } },
      },
      'case',
    );
    expect(found.loss).toBeCloseTo(await loss(weight.data as Float32Array), 4);
    const step = 0.02;
    const expected: number[] = [];
    for (let i = 0; i < weight.data.length; i++) {
      const at = (offset: number) =>
        loss(Array.from(weight.data as Float32Array, (v, j) => (i === j ? v + offset : v)));
      const near = (await at(step)) - (await at(-step));
      expected.push((8 * near - (await at(2 * step)) + (await at(-2 * step))) / (12 * step));
    }
    const largest = Math.max(...expected.map(Math.abs));
    const errors = found.gradients.w!.data.map((value, i) => Math.abs(value - expected[i]!) / largest);
    // Rounding of the loss in float32 over the step: 1.5 · 6e-8 · |loss| / 0.02, with losses up to some tens.
    expect(Math.max(...errors)).toBeLessThan(3e-4);
  });
});
