import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { localConfig } from '../../../client/config.ts';
import { LocalTrainer } from '../../../client/trainer.ts';
import type { ExampleBatch } from '../../../data/dataset.ts';
import { type BindingOptions, bindModel, type Objective } from '../../../graph/binding.ts';
import { GraphBuilder } from '../../../graph/builder.ts';
import { compileForward, compileTraining } from '../../../graph/compile.ts';
import { float32Tensor, int, ints, type Model } from '../../../graph/ir.ts';
import { namedStream } from '../../../random/stream.ts';

const stream = namedStream('write loss', 'values');
const draws = (count: number) => Float32Array.from({ length: count }, () => 2 * stream.uniform() - 1);
const floats = (dims: number[]) => ({
  type: 'float32' as const,
  dims,
  data: draws(dims.reduce((product, size) => product * size, 1)),
});
const integers = (dims: number[], values: number[]) => ({
  type: 'int32' as const,
  dims,
  data: Int32Array.from(values),
});

/** `output` = input · weights, with whatever `more` writes behind it. */
function linear(
  input: string,
  shape: readonly (number | string)[],
  to: number,
  more: (b: GraphBuilder, output: string) => string[] = () => ['output'],
): Model {
  const b = new GraphBuilder();
  const weight = b.constant(
    float32Tensor([shape.at(-1) as number, to], draws((shape.at(-1) as number) * to)),
    'weight',
  );
  b.op('MatMul', [b.input(input, 'float32', ['batch', ...shape]), weight], {}, { outputNames: ['output'] });
  return { graph: b.build('linear', more(b, 'output')), opset: 21, weights: ['weight'] };
}

/** The gradient by one training step, and by central differences of the evaluation's loss. */
async function bothGradients(model: Model, objective: Objective, examples: ExampleBatch, options: BindingOptions) {
  const binding = bindModel(model, objective, 'test', options);
  const trainer = await LocalTrainer.create(compileTraining(model, binding));
  const step = localConfig.parse({ steps: 1, batchSize: examples.count, learningRate: 1, maxGradientNorm: null });
  const { data, dims } = model.graph.constants.get('weight')!;
  const weights = Float32Array.from(data as Float32Array);
  const trained = await trainer.train(weights, examples, step, namedStream('write loss', 'batches'));
  const forward = compileForward(model, binding);
  const session = await ort.InferenceSession.create(forward.onnx);
  const feeds = Object.fromEntries(
    Object.entries(examples.fields)
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, field]) => [name, new ort.Tensor(field.type, field.data as Float32Array, field.dims)]),
  );
  const lossAt = async (values: Float32Array) =>
    Number((await session.run({ ...feeds, weight: new ort.Tensor('float32', values, dims) })).loss!.data[0]);
  const differences: number[] = [];
  for (let i = 0; i < weights.length; i++) {
    const at = (offset: number) => lossAt(weights.map((value, k) => (k === i ? value + offset : value)));
    differences.push(((await at(0.01)) - (await at(-0.01))) / 0.02);
  }
  const { delta, loss, infeasibleTargets } = trained;
  return {
    gradient: Array.from(delta),
    differences,
    loss,
    evaluated: await lossAt(weights),
    infeasibleTargets,
    weights,
  };
}

const images = () => ({
  count: 4,
  fields: { image: floats([4, 6]), label: integers([4], [0, 2, 1, 2]) },
});
const speech = (targets: number[] = [1, 2, 3, 0]) => ({
  count: 2,
  fields: {
    features: floats([2, 5, 3]),
    lengths: integers([2], [5, 4]),
    targets: integers([2, 2], targets),
    target_lengths: integers([2], [2, 1]),
  },
});
const tensorFields = [
  { name: 'x', dtype: 'float32' as const, shape: [6] },
  { name: 'wanted', dtype: 'float32' as const, shape: [3] },
  { name: 'label', dtype: 'int32' as const, shape: [] },
];
const tensors = () => ({
  count: 4,
  fields: { x: floats([4, 6]), wanted: floats([4, 3]), label: integers([4], [0, -100, 1, 2]) },
});

/** The mean of (output − image-wise target)² as a model may write it itself; a loss of shape [1]. */
const ownLoss = (b: GraphBuilder, output: string): string[] => {
  const label = b.op('Cast', [b.input('label', 'int32', ['batch'])], { to: int(1) });
  const difference = b.op('Sub', [output, b.op('Unsqueeze', [label, b.axes([1])])]);
  const square = b.op('Mul', [difference, difference]);
  b.op('ReduceMean', [b.op('Flatten', [square], { axis: int(0) })], { keepdims: int(0) }, { outputNames: ['cost'] });
  return ['output', 'cost'];
};

/** The output as PyTorch's CTC takes it. */
const framesFirst = (b: GraphBuilder, output: string): string[] => [
  b.op('Transpose', [output], { perm: ints([1, 0, 2]) }, { outputNames: ['turned'] }),
];

describe('every loss of a run has the gradient that its evaluation shows', () => {
  const cases: [string, Model, Objective, ExampleBatch, BindingOptions][] = [
    ['bce of classes', linear('image', [6], 3), 'classification', images(), { loss: { kind: 'bce' } }],
    ['mse of classes', linear('image', [6], 3), 'classification', images(), { loss: { kind: 'mse' } }],
    [
      'weighted, smoothed cross-entropy',
      linear('image', [6], 3),
      'classification',
      images(),
      { loss: { kind: 'cross-entropy', labelSmoothing: 0.1, classWeights: [1, 2, 3] } },
    ],
    [
      'a loss of the model’s own',
      linear('image', [6], 3, ownLoss),
      'classification',
      images(),
      { loss: { kind: 'output', output: 'cost' } },
    ],
    [
      'ctc with the blank last',
      linear('features', ['frames', 3], 4),
      'transcription',
      speech(),
      { loss: { kind: 'ctc', blank: 3 } },
    ],
    [
      'ctc with frames first and the blank last',
      linear('features', ['frames', 3], 4, framesFirst),
      'transcription',
      speech(),
      { loss: { kind: 'ctc', blank: 3 } },
    ],
    [
      'bce of labels',
      linear('x', [6], 3),
      'tensors',
      tensors(),
      { fields: tensorFields, loss: { kind: 'bce', target: 'wanted' } },
    ],
    [
      'mse of tensors',
      linear('x', [6], 3),
      'tensors',
      tensors(),
      { fields: tensorFields, loss: { kind: 'mse', target: 'wanted' } },
    ],
    [
      'cross-entropy with labels to ignore',
      linear('x', [6], 3),
      'tensors',
      tensors(),
      { fields: tensorFields, loss: { kind: 'cross-entropy' } },
    ],
  ];

  test.each(cases)('%s', async (_, model, objective, examples, options) => {
    const { gradient, differences, loss, evaluated } = await bothGradients(model, objective, examples, options);
    expect(loss).toBeCloseTo(evaluated, 5);
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(0.01);
    for (const [i, value] of differences.entries()) expect(Math.abs(gradient[i]! - value)).toBeLessThan(1e-3);
  });
});

test('where the blank stands does not change what is learnt', async () => {
  const model = linear('features', ['frames', 3], 4);
  const examples = speech();
  const last = await bothGradients(model, 'transcription', examples, { loss: { kind: 'ctc', blank: 3 } });
  const { data } = model.graph.constants.get('weight')!;
  const rotate = (values: ArrayLike<number>) =>
    [0, 1, 2].flatMap((row) => [3, 0, 1, 2].map((c) => values[row * 4 + c]!));
  const rotated = float32Tensor([3, 4], rotate(data as Float32Array));
  const constants = new Map(model.graph.constants).set('weight', rotated);
  const turned = { ...model, graph: { ...model.graph, constants } };
  const first = await bothGradients(turned, 'transcription', examples, {});
  expect(first.loss).toBeCloseTo(last.loss, 6);
  for (const [i, value] of rotate(last.gradient).entries()) expect(first.gradient[i]).toBeCloseTo(value, 6);
});

test('logits with the frames first are learnt and scored as those with the batch first', async () => {
  const model = linear('features', ['frames', 3], 4);
  const { graph, ...others } = linear('features', ['frames', 3], 4, framesFirst);
  const turned = { ...others, graph: { ...graph, constants: model.graph.constants } };
  const examples = speech();
  const expected = await bothGradients(model, 'transcription', examples, {});
  const found = await bothGradients(turned, 'transcription', examples, {});
  expect(found).toEqual(expected);
  const { onnx } = compileForward(turned, bindModel(turned, 'transcription', 'test'));
  const { inputNames, outputMetadata } = await ort.InferenceSession.create(onnx);
  expect(inputNames).toContain('features');
  expect(outputMetadata.find(({ name }) => name === 'logits')).toMatchObject({ shape: ['batch', 'frames', 4] });
});

describe('an output that gives probabilities learns, and is scored, like its logits', () => {
  const after = (op: string) => (b: GraphBuilder, output: string) => [
    b.op(op, [output], {}, { outputNames: ['probabilities'] }),
  ];
  test.each<[string, string, string, number, Objective, ExampleBatch, BindingOptions]>([
    ['of classes', 'Softmax', 'image', 6, 'classification', images(), {}],
    ['of symbols', 'Softmax', 'features', 3, 'transcription', speech(), {}],
    [
      'of labels',
      'Sigmoid',
      'x',
      6,
      'tensors',
      tensors(),
      { fields: tensorFields, loss: { kind: 'bce', target: 'wanted' } },
    ],
  ])('%s', async (_, op, input, width, objective, examples, options) => {
    const shape = objective === 'transcription' ? ['frames', width] : [width];
    const logits = linear(input, shape, objective === 'transcription' ? 4 : 3);
    const { graph, ...others } = linear(input, shape, objective === 'transcription' ? 4 : 3, after(op));
    const probable = { ...others, graph: { ...graph, constants: logits.graph.constants } };
    const expected = await bothGradients(logits, objective, examples, options);
    expect(await bothGradients(probable, objective, examples, options)).toEqual(expected);
  });
});

describe('inputs with their axes in another order learn the same', () => {
  /** `linear` on an input with other axes, which the model puts in order itself. */
  function turned(model: Model, input: string, shape: readonly (number | string)[], perm: readonly number[]): Model {
    const b = new GraphBuilder();
    const x = b.op('Transpose', [b.input(input, 'float32', shape)], { perm: ints(perm) });
    const flat = b.rank(x) > 3 ? b.reshape(x, [0, -1]) : x;
    const weight = b.constant(model.graph.constants.get('weight')!, 'weight');
    b.op('MatMul', [flat, weight], {}, { outputNames: ['output'] });
    return { graph: b.build('turned', ['output']), opset: 21, weights: ['weight'] };
  }
  const flat = images();
  const pictures = { ...flat, fields: { ...flat.fields, image: { ...flat.fields.image, dims: [4, 3, 1, 2] } } };
  test.each<[string, Model, Objective, ExampleBatch, string, readonly (number | string)[], readonly number[]]>([
    [
      'filters first',
      linear('features', ['frames', 3], 4),
      'transcription',
      speech(),
      'features',
      ['batch', 3, 'frames'],
      [0, 2, 1],
    ],
    [
      'frames first',
      linear('features', ['frames', 3], 4),
      'transcription',
      speech(),
      'features',
      ['frames', 'batch', 3],
      [1, 0, 2],
    ],
    [
      'channels last',
      linear('image', [6], 3),
      'classification',
      pictures,
      'image',
      ['batch', 'height', 2, 3],
      [0, 3, 1, 2],
    ],
  ])('%s', async (_, model, objective, examples, input, shape, perm) => {
    const given = examples === pictures ? flat : examples;
    const expected = await bothGradients(model, objective, given, {});
    const options = objective === 'classification' ? { imageShape: [3, 1, 2] } : {};
    const found = await bothGradients(turned(model, input, shape, perm), objective, examples, options);
    expect(found.loss).toBeCloseTo(expected.loss, 6);
    for (const [i, value] of expected.gradient.entries()) expect(found.gradient[i]).toBeCloseTo(value, 6);
  });
});

test('targets that do not fit their frames are counted, and teach nothing', async () => {
  const examples = speech();
  const short = { ...examples, fields: { ...examples.fields, lengths: integers([2], [1, 4]) } };
  const { infeasibleTargets, gradient } = await bothGradients(
    linear('features', ['frames', 3], 4),
    'transcription',
    short,
    {},
  );
  expect(infeasibleTargets).toBe(1);
  for (const value of gradient) expect(Number.isFinite(value)).toBe(true);
  const fitting = await bothGradients(linear('features', ['frames', 3], 4), 'transcription', examples, {});
  expect(fitting.infeasibleTargets).toBe(0);
});

describe('a loss that does not fit is refused', () => {
  const refusals: [string, Model, Objective, BindingOptions, RegExp][] = [
    [
      'unknown output',
      linear('image', [6], 3),
      'classification',
      { loss: { kind: 'mse', output: 'nought' } },
      /no floating-point output 'nought'.*its outputs are output/,
    ],
    [
      'classes for speech',
      linear('features', ['frames', 3], 4),
      'transcription',
      { loss: { kind: 'cross-entropy' } },
      /'cross-entropy' cannot learn transcriptions/,
    ],
    ['ctc for images', linear('image', [6], 3), 'classification', { loss: { kind: 'ctc' } }, /the data has none/],
    [
      'a blank beyond the symbols',
      linear('features', ['frames', 3], 4),
      'transcription',
      { loss: { kind: 'ctc', blank: 4 } },
      /loss\.blank: 4 is not one of the model's 4 symbols/,
    ],
    [
      'a loss that is no number',
      linear('image', [6], 3),
      'classification',
      { loss: { kind: 'output', output: 'output' } },
      /'output' has shape \[batch,3\]; a loss is one number/,
    ],
    [
      'no target',
      linear('x', [6], 3),
      'tensors',
      { fields: tensorFields.slice(0, 2), loss: { kind: 'mse' } },
      /no field 'label' or 'target'.*x, wanted/,
    ],
    [
      'a target of another form',
      linear('x', [6], 4),
      'tensors',
      { fields: tensorFields, loss: { kind: 'mse', target: 'wanted' } },
      /loss\.target: has shape \[batch,3\], but the output has \[batch,4\]/,
    ],
    ['no loss', linear('x', [6], 4), 'tensors', { fields: tensorFields }, /no loss by default/],
    [
      'an input without data',
      linear('z', [6], 3),
      'tensors',
      { fields: tensorFields, loss: { kind: 'bce' } },
      /input 'z' has no counterpart in the data, which has x, wanted, label/,
    ],
  ];

  test.each(refusals)('%s', (_, model, objective, options, message) => {
    expect(() => compileTraining(model, bindModel(model, objective, 'm.onnx', options))).toThrow(message);
  });
});
