import { beforeAll, describe, expect, test } from '@jest/globals';
import { drawBatches } from '../../client/batches.ts';
import { type LocalConfig, localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { selectExamples } from '../../data/batches.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileTraining } from '../../graph/compile.ts';
import { float32Tensor, int, type Model } from '../../graph/ir.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildMlp } from '../../models/mlp.ts';
import { namedStream } from '../../random/stream.ts';
import { imageExamples } from '../support/image-examples.ts';
import { layerErrors } from '../support/pytorch-fixture.ts';

const imageShape = [1, 12, 12] as const;
const classes = 5;

const examplesOf = (count: number) => imageExamples('deferred updates', count, imageShape, classes);

/** Matrix products instead of Gemm, weights stored one column per unit, and the data read by two layers. */
function matMulModel(): Model {
  const b = new GraphBuilder();
  const stream = namedStream('deferred updates test', 'weights');
  const weight = (name: string, dims: number[]) => {
    const size = dims.reduce((a, c) => a * c, 1);
    const data = Float32Array.from({ length: size }, () => (stream.uniform() - 0.5) / 5);
    return b.constant(float32Tensor(dims, data), name);
  };
  const image = b.op('Flatten', [b.input('image', 'float32', ['batch', ...imageShape])], { axis: int(1) });
  const dense = (name: string, x: string, from: number, to: number) =>
    b.op('Add', [
      b.op('MatMul', [x, weight(`${name}.weight`, [from, to])], {}, { name }),
      weight(`${name}.bias`, [to]),
    ]);
  const first = b.op('Tanh', [dense('first', image, 144, 150)]);
  const second = b.op('Tanh', [dense('second', first, 150, 160)]);
  const skip = dense('skip', image, 144, 160);
  const logits = dense('output', b.op('Add', [second, skip]), 160, classes);
  b.op('Identity', [logits], {}, { outputNames: ['logits'] });
  const weights = [...b.constants.keys()].filter((name) => /\.(weight|bias)$/.test(name));
  return { graph: b.build('products', ['logits']), opset: 21, weights };
}

/** What the layers' weights change to step by step, each step a run of its own: nothing is gathered from a step before. */
async function stepByStep(
  trainer: LocalTrainer,
  parameters: Float32Array,
  examples: ExampleBatch,
  settings: LocalConfig,
): Promise<Float32Array> {
  const { order, offsets } = drawBatches(examples.count, settings.batchSize, settings, draws());
  const moved = Float64Array.from(parameters);
  for (let step = 0; step + 1 < offsets.length; step++) {
    const batch = selectExamples(examples, order.slice(offsets[step], offsets[step + 1]));
    const single = { ...settings, epochs: undefined, steps: 1, batchSize: batch.count };
    const { delta } = await trainer.train(Float32Array.from(moved), batch, single, draws());
    for (let i = 0; i < moved.length; i++) moved[i]! -= delta[i]!;
  }
  return Float32Array.from(parameters, (value, i) => value - moved[i]!);
}

const draws = () => namedStream('deferred updates test', 'batches');

const models: { kind: string; model: Model }[] = [
  { kind: 'perceptron', model: buildMlp({ kind: 'mlp', imageShape, hidden: [150, 140], classes }, 1) },
  { kind: 'network of plain products', model: matMulModel() },
  { kind: 'cnn', model: buildCnn({ kind: 'cnn', imageShape, channels: [4, 8], hidden: 160, classes }, 1) },
];

describe.each(models)('the steps of a $kind, gathered', ({ model }) => {
  let trainer: LocalTrainer;
  let parameters: Float32Array;

  beforeAll(async () => {
    trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, 'classification', 'test')));
    parameters = parametersOf(model, trainer.layout);
  });

  test.each([
    ['one epoch, gradients clipped', { epochs: 1, batchSize: 4, learningRate: 0.3, maxGradientNorm: 0.5 }, 10],
    ['three epochs, the last batch smaller', { epochs: 3, batchSize: 4, learningRate: 0.1, maxGradientNorm: null }, 10],
    ['more visits than a run takes', { steps: 40, batchSize: 8, learningRate: 0.05, maxGradientNorm: 1 }, 20],
    ['batches that are larger than a run', { steps: 2, batchSize: 300, learningRate: 0.2, maxGradientNorm: 1 }, 300],
  ])('%s: they lead where single steps lead', async (_, settings, count) => {
    const examples = examplesOf(count);
    const local = localConfig.parse(settings);
    const expected = await stepByStep(trainer, parameters, examples, local);
    const { delta, steps } = await trainer.train(parameters, examples, local, draws());
    expect(steps).toBe(local.steps ?? local.epochs! * Math.ceil(count / local.batchSize));
    // Rounding of float32 sums in another order.
    const errors = layerErrors(delta, expected, trainer.layout);
    expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });
});

test('a graph that does not clip leads where one leads whose bound is never reached, and refuses to be asked for a bound', async () => {
  const { model } = models[0]!;
  const binding = bindModel(model, 'classification', 'test');
  const clipping = await LocalTrainer.create(compileTraining(model, binding));
  const plain = await LocalTrainer.create(compileTraining(model, binding, { clipped: false }));
  const parameters = parametersOf(model, plain.layout);
  const examples = examplesOf(10);
  const local = localConfig.parse({ epochs: 2, batchSize: 4, learningRate: 0.1, maxGradientNorm: null });
  const expected = (await clipping.train(parameters, examples, local, draws())).delta.slice();
  const { delta } = await plain.train(parameters, examples, local, draws());
  expect(layerErrors(delta, expected, plain.layout).filter(([, error]) => !(error < 1e-6))).toEqual([]);
  await expect(plain.train(parameters, examples, { ...local, maxGradientNorm: 1 }, draws())).rejects.toThrow(
    /does not clip/,
  );
});
