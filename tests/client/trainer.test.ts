import { beforeAll, describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { ModelError } from '../../errors.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileForward, compileTraining, type ForwardArtifact } from '../../graph/compile.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildCnn } from '../../models/cnn.ts';
import type { CnnSettings, TransformerCtcSettings } from '../../models/config.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { namedStream } from '../../random/stream.ts';
import {
  examplesOf,
  flatten,
  layerErrors,
  type PyTorchFixture,
  readPyTorchFixture,
} from '../support/pytorch-fixture.ts';

const draws = () => namedStream('trainer test', 'batches');

/** One step with learning rate 1 and no clipping: the delta is the gradient. */
const gradientStep = (batchSize: number) =>
  localConfig.parse({ steps: 1, batchSize, learningRate: 1, maxGradientNorm: null });

function norm(vector: Float32Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}

interface Reference {
  readonly kind: string;
  readonly objective: 'classification' | 'transcription';
  readonly fixture: PyTorchFixture<unknown>;
  readonly model: Model;
}

const cnnFixture = readPyTorchFixture<CnnSettings>('cnn');
const transformerFixture = readPyTorchFixture<TransformerCtcSettings>('transformer-ctc');
const references: Reference[] = [
  { kind: 'cnn', objective: 'classification', fixture: cnnFixture, model: buildCnn(cnnFixture.settings, 1) },
  {
    kind: 'transformer-ctc',
    objective: 'transcription',
    fixture: transformerFixture,
    model: buildTransformerCtc(transformerFixture.settings, 1),
  },
];

describe.each(references)('local training of $kind against PyTorch in float64', ({ objective, fixture, model }) => {
  const examples = examplesOf(fixture);
  let trainer: LocalTrainer;
  let weights: Float32Array;

  beforeAll(async () => {
    trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, objective, 'reference')));
    weights = flatten(fixture.weights, trainer.layout);
  });

  test('the loss and the gradient of every layer agree', async () => {
    const { delta, loss, steps } = await trainer.train(weights, examples, gradientStep(examples.count), draws());
    expect(steps).toBe(1);
    expect(Math.abs(loss - fixture.loss) / fixture.loss).toBeLessThan(1e-5);
    const errors = layerErrors(delta, flatten(fixture.gradients, trainer.layout), trainer.layout);
    expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });

  test('ten local steps with clipped gradients end in the same place', async () => {
    const { steps, learningRate, maxGradientNorm, losses, deltas } = fixture.local;
    const settings = localConfig.parse({ steps, learningRate, maxGradientNorm, batchSize: examples.count });
    const result = await trainer.train(weights, examples, settings, draws());
    expect(result.steps).toBe(10);
    expect(result.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / 10, 4);
    const errors = layerErrors(result.delta, flatten(deltas, trainer.layout), trainer.layout);
    expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });

  test('the given parameters are not changed, and the same draws give the same delta', async () => {
    const before = weights.slice();
    const settings = localConfig.parse({ epochs: 2, batchSize: 2, learningRate: 0.1 });
    const first = (await trainer.train(weights, examples, settings, draws())).delta.slice();
    expect(weights).toEqual(before);
    expect((await trainer.train(weights, examples, settings, draws())).delta).toEqual(first);
    expect(first.every(Number.isFinite)).toBe(true);
    expect(norm(first)).toBeGreaterThan(0);
  });

  test('parameters prepared once give every client what it gets from the vector, also in parts', async () => {
    const many = localConfig.parse({ epochs: 1 + Math.ceil(300 / examples.count), batchSize: 2, learningRate: 0.01 });
    const few = localConfig.parse({ epochs: 1, batchSize: 2, learningRate: 0.1 });
    const prepared = trainer.prepare(weights);
    for (const settings of [few, many, few]) {
      const expected = (await trainer.train(weights, examples, settings, draws())).delta.slice();
      expect((await trainer.train(prepared, examples, settings, draws())).delta).toEqual(expected);
    }
    prepared.release();
  });

  test('a vector that changes between clients is read anew', async () => {
    const settings = gradientStep(examples.count);
    const moving = weights.slice();
    const { delta } = await trainer.train(moving, examples, settings, draws());
    for (let i = 0; i < moving.length; i++) moving[i] -= 0.1 * delta[i];
    const moved = (await trainer.train(moving, examples, settings, draws())).delta.slice();
    expect((await trainer.train(moving.slice(), examples, settings, draws())).delta).toEqual(moved);
    expect(moved).not.toEqual((await trainer.train(weights, examples, settings, draws())).delta);
  });

  test.each([
    [Number.NaN, 1],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, 1],
    [Number.POSITIVE_INFINITY, null],
  ])('NaN propagation: %s in the data shows in the delta, gradients clipped to %s', async (value, maxGradientNorm) => {
    const [name, field] = Object.entries(examples.fields)[0]!;
    const data = Float32Array.from(field.data as Float32Array);
    data[0] = value;
    const spoiled = {
      count: examples.count,
      fields: { ...examples.fields, [name]: { ...field, data } },
    } as ExampleBatch;
    const settings = { ...gradientStep(examples.count), maxGradientNorm };
    const { delta } = await trainer.train(weights, spoiled, settings, draws());
    // Such a client is dropped and counted. A delta of zeros, or one that looks sound, would count as a contribution.
    expect(delta.every(Number.isFinite)).toBe(false);
  });

  test('a step is clipped to the given norm, never stretched to it', async () => {
    const settings = gradientStep(examples.count);
    const gradient = (await trainer.train(weights, examples, settings, draws())).delta.slice();
    const size = norm(gradient);
    const clipped = await trainer.train(weights, examples, { ...settings, maxGradientNorm: size / 4 }, draws());
    expect(norm(clipped.delta) / (size / 4)).toBeCloseTo(1, 4);
    const scaled = gradient.map((value) => value / 4);
    for (const [, error] of layerErrors(clipped.delta, scaled, trainer.layout)) expect(error).toBeLessThan(1e-4);
    const loose = await trainer.train(weights, examples, { ...settings, maxGradientNorm: size * 4 }, draws());
    for (const [, error] of layerErrors(loose.delta, gradient, trainer.layout)) expect(error).toBeLessThan(1e-4);
  });

  test('steps on single examples follow each other as they would one by one', async () => {
    const settings = localConfig.parse({ epochs: 1, batchSize: 1, learningRate: 0.05 });
    const together = (await trainer.train(weights, examples, settings, draws())).delta.slice();
    // The same draws, carried out by hand: three runs of one step each on the example that was drawn.
    const order = Array.from({ length: examples.count }, (_, i) => i);
    const random = draws();
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    let current = weights;
    for (const index of order) {
      const one = single(examples, index);
      const { delta } = await trainer.train(current, one, { ...settings, epochs: undefined, steps: 1 }, draws());
      current = current.map((value, i) => value - delta[i]!);
    }
    const apart = weights.map((value, i) => value - current[i]!);
    for (const [, error] of layerErrors(together, apart, trainer.layout)) expect(error).toBeLessThan(1e-4);
  });
});

/** One example with its padding left in place. */
function single(examples: ExampleBatch, index: number): ExampleBatch {
  const fields = Object.entries(examples.fields).map(([name, field]) => {
    const size = field.data.length / examples.count;
    const dims = [1, ...field.dims.slice(1)];
    return [name, { ...field, dims, data: field.data.slice(index * size, (index + 1) * size) }] as const;
  });
  return { count: 1, fields: Object.fromEntries(fields) as ExampleBatch['fields'] };
}

async function forwardLoss(forward: ForwardArtifact, weights: Float32Array, examples: ExampleBatch): Promise<number> {
  const session = await ort.InferenceSession.create(forward.onnx);
  const layout = new ParameterLayout(forward.layers);
  const fields = Object.entries(examples.fields).map(
    ([name, { type, data, dims }]) => [name, new ort.Tensor(type, data as Float32Array, dims)] as const,
  );
  const layers = layout.layers.map(
    (layer) => [layer.name, new ort.Tensor('float32', layout.view(weights, layer), layer.shape)] as const,
  );
  return Number((await session.run(Object.fromEntries([...fields, ...layers]))).loss!.data[0]);
}

describe('a client of utterances', () => {
  const model = buildTransformerCtc(transformerFixture.settings, 1);
  const binding = bindModel(model, 'transcription', 'transformer');
  const examples = examplesOf(transformerFixture);

  test('gets the same gradient whatever padding its data carries', async () => {
    const trainer = await LocalTrainer.create(compileTraining(model, binding));
    const weights = parametersOf(model, trainer.layout);
    const settings = gradientStep(examples.count);
    const plain = (await trainer.train(weights, examples, settings, draws())).delta.slice();
    const padded = await trainer.train(weights, widened(examples, 5, 3), settings, draws());
    expect(padded.delta).toEqual(plain);
  });

  test('trains with dropout and layer drop, the same way every time; the model gives the same as without when it is used', async () => {
    const dropping = buildTransformerCtc({ ...transformerFixture.settings, dropout: 0.2, layerDrop: 0.5 }, 1);
    const trainer = await LocalTrainer.create(compileTraining(dropping, bindModel(dropping, 'transcription', 'drop')));
    const weights = parametersOf(dropping, trainer.layout);
    const settings = localConfig.parse({ steps: 6, batchSize: 1, learningRate: 0.1 });
    const once = (await trainer.train(weights, examples, settings, draws())).delta.slice();
    expect((await trainer.train(weights, examples, settings, draws())).delta).toEqual(once);
    const whole = await LocalTrainer.create(compileTraining(model, binding));
    expect((await whole.train(weights, examples, settings, draws())).delta).not.toEqual(once);
    const evaluated = (each: Model) => compileForward(each, bindModel(each, 'transcription', 'each'));
    const losses = await Promise.all([dropping, model].map((each) => forwardLoss(evaluated(each), weights, examples)));
    expect(losses[0]).toBe(losses[1]);
  });

  test('skips whole blocks', async () => {
    // Nearly always skipped: the block's weights get no gradient in one step.
    const skipping = buildTransformerCtc({ ...transformerFixture.settings, layerDrop: 0.999 }, 1);
    const trainer = await LocalTrainer.create(compileTraining(skipping, bindModel(skipping, 'transcription', 'skip')));
    const weights = parametersOf(skipping, trainer.layout);
    const { delta } = await trainer.train(weights, examples, gradientStep(examples.count), draws());
    const moved = trainer.layout.layers.filter((layer) => norm(trainer.layout.view(delta, layer)) > 0);
    expect(moved.some(({ name }) => name.startsWith('block'))).toBe(false);
    expect(moved.map(({ name }) => name)).toContain('output.weight');
  });

  test('whose transcription is empty still trains', async () => {
    const trainer = await LocalTrainer.create(compileTraining(model, binding));
    const empty: ExampleBatch = {
      count: 1,
      fields: {
        features: { type: 'float32', dims: [1, 4, 5], data: new Float32Array(20).fill(0.5) },
        lengths: { type: 'int32', dims: [1], data: Int32Array.of(4) },
        targets: { type: 'int32', dims: [1, 1], data: Int32Array.of(0) },
        target_lengths: { type: 'int32', dims: [1], data: Int32Array.of(0) },
      },
    };
    const { delta, loss } = await trainer.train(parametersOf(model, trainer.layout), empty, gradientStep(1), draws());
    expect(loss).toBeGreaterThan(0);
    expect(delta.every(Number.isFinite)).toBe(true);
    expect(norm(delta)).toBeGreaterThan(0);
  });

  test('sees in training the loss that the evaluation graph computes', async () => {
    const trainer = await LocalTrainer.create(compileTraining(model, binding));
    const forward = await ort.InferenceSession.create(compileForward(model, binding).onnx);
    const feeds: Record<string, ort.Tensor> = {};
    const weights = parametersOf(model, trainer.layout);
    for (const layer of trainer.layout.layers)
      feeds[layer.name] = new ort.Tensor('float32', trainer.layout.view(weights, layer), layer.shape);
    for (const [name, field] of Object.entries(examples.fields))
      feeds[name] = new ort.Tensor(field.type, field.data as Float32Array, field.dims);
    const { loss, output_lengths } = await forward.run(feeds);
    const trained = await trainer.train(weights, examples, gradientStep(examples.count), draws());
    expect(trained.loss).toBeCloseTo(Number(loss!.data[0]), 5);
    expect(Array.from(output_lengths!.data as Int32Array)).toEqual([7, 4, 6]);
  });
});

/** More padding frames and padding symbols at the end of every example. */
function widened(examples: ExampleBatch, frames: number, symbols: number): ExampleBatch {
  const extra: Readonly<Record<string, number>> = { features: frames, targets: symbols };
  const fields = Object.entries(examples.fields).map(([name, field]) => {
    const [count, length, ...rest] = field.dims as [number, number, ...number[]];
    const more = extra[name];
    if (more === undefined) return [name, field] as const;
    const size = rest.reduce((product, dim) => product * dim, 1);
    const data =
      field.type === 'float32'
        ? new Float32Array(count * (length + more) * size)
        : new Int32Array(count * (length + more) * size);
    for (let row = 0; row < count; row++)
      data.set(field.data.subarray(row * length * size, (row + 1) * length * size), row * (length + more) * size);
    return [name, { ...field, dims: [count, length + more, ...rest], data }] as const;
  });
  return { count: examples.count, fields: Object.fromEntries(fields) as ExampleBatch['fields'] };
}

test('layers may be called what the training graph calls its own values', async () => {
  const b = new GraphBuilder();
  const image = b.input('image', 'float32', ['batch', 1, 1, 2]);
  const weights = ['learning_rate', 'step'];
  const rows = b.op('Flatten', [image], { axis: { kind: 'int', value: 1 } });
  const tensors = [float32Tensor([2, 2], [1, 2, 3, 4]), float32Tensor([2], [0.5, -0.5])];
  const [matrix, bias] = weights.map((name, i) => b.constant(tensors[i]!, name));
  b.op('Gemm', [rows, matrix!, bias!], {}, { outputNames: ['logits'] });
  const model: Model = { graph: b.build('own', ['logits']), opset: 21, weights };
  const trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, 'classification', 'own')));
  const examples: ExampleBatch = {
    count: 1,
    fields: {
      image: { type: 'float32', dims: [1, 1, 1, 2], data: Float32Array.of(1, 0) },
      label: { type: 'int32', dims: [1], data: Int32Array.of(0) },
    },
  };
  const { delta } = await trainer.train(parametersOf(model, trainer.layout), examples, gradientStep(1), draws());
  // logits 1.5 and 1.5: probabilities one half each
  for (const [i, gradient] of [-0.5, 0.5, 0, 0, -0.5, 0.5].entries()) expect(delta[i]).toBeCloseTo(gradient, 6);
});

test('a training graph the runtime cannot load is a ModelError', async () => {
  await expect(LocalTrainer.create({ onnx: Uint8Array.of(1, 2, 3), layers: [] })).rejects.toThrow(ModelError);
});

test('a scalar, such as a learned temperature, is trained like any layer', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 1, 1, 3]);
  const w = b.constant(float32Tensor([3, 2], [0.5, -0.25, 1, 0.75, -1, 0.125]), 'fc.weight');
  const temperature = b.constant(float32Tensor([], [0.5]), 'temperature');
  const logits = b.op('MatMul', [b.op('Flatten', [x]), w]);
  const scaled = b.op('Mul', [logits, temperature], {}, { outputNames: ['logits'] });
  const model: Model = { graph: b.build('m', [scaled]), opset: 21, weights: ['fc.weight', 'temperature'] };
  const trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, 'classification', 'm')));
  const examples: ExampleBatch = {
    count: 2,
    fields: {
      image: { type: 'float32', dims: [2, 1, 1, 3], data: Float32Array.of(1, 2, -1, 0.5, -1, 1) },
      label: { type: 'int32', dims: [2], data: Int32Array.of(0, 1) },
    },
  };
  const initial = parametersOf(model, trainer.layout);
  const { delta } = await trainer.train(initial, examples, gradientStep(2), draws());
  // The loss written out in float64.
  const lossAt = (s: number) => {
    const rows = [
      [1, 2, -1],
      [0.5, -1, 1],
    ];
    const columns = [
      [0.5, 1, -1],
      [-0.25, 0.75, 0.125],
    ];
    const losses = rows.map((row, label) => {
      const z = columns.map((column) => s * column.reduce((sum, value, i) => sum + value * row[i]!, 0));
      return Math.log(z.reduce((sum, value) => sum + Math.exp(value), 0)) - z[label]!;
    });
    return (losses[0]! + losses[1]!) / 2;
  };
  const slope = (lossAt(0.5 + 1e-5) - lossAt(0.5 - 1e-5)) / 2e-5;
  const at = trainer.layout.layers.find(({ name }) => name === 'temperature')!;
  expect(at.size).toBe(1);
  expect(Math.abs(delta[at.offset]!)).toBeCloseTo(Math.abs(slope), 5);
  const clipped = localConfig.parse({ steps: 3, batchSize: 1, learningRate: 0.1, maxGradientNorm: 0.5 });
  const several = await trainer.train(initial, examples, clipped, draws());
  expect(several.delta[at.offset]).not.toBe(0);
  expect(several.delta.every(Number.isFinite)).toBe(true);
});
