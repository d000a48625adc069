import { describe, expect, jest, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { TrainingSession } from '../../client/training-session.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining, type TrainingOptions } from '../../graph/compile.ts';
import type { Model } from '../../graph/ir.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildMlp } from '../../models/mlp.ts';
import { buildResNet } from '../../models/resnet.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';
import { namedStream } from '../../random/stream.ts';
import { imageExamples } from '../support/image-examples.ts';

interface Case {
  readonly model: Model;
  readonly objective: 'classification' | 'transcription';
  readonly examples: ExampleBatch;
  readonly options?: TrainingOptions;
}

const imageShape = [2, 9, 9] as const;
const mlp = {
  model: buildMlp({ kind: 'mlp', hidden: [6], imageShape, classes: 3 }, 1),
  objective: 'classification',
} as const;
const cnn = buildCnn({ kind: 'cnn', channels: [20, 20], hidden: 8, imageShape, classes: 3 }, 1);
const smallImage = [2, 8, 8] as const;
const resNet = buildResNet(
  { kind: 'resnet', width: 128, blocks: [1, 1], groupSize: 16, imageShape: smallImage, classes: 3 },
  1,
);
const transformer = buildTransformerCtc(
  {
    kind: 'transformer-ctc',
    stride: 2,
    blocks: 2,
    width: 8,
    heads: 2,
    mlp: 12,
    dropout: 0.2,
    layerDrop: 0.3,
    filters: 5,
    vocabulary: 6,
  },
  1,
);

/** Nine utterances, of which every third has a target that does not fit into its frames. */
function utterances(): ExampleBatch {
  const [count, frames, labels] = [9, 12, 4];
  const stream = namedStream('long training', 'features');
  const whole = (value: number) => Int32Array.from({ length: count }, () => value);
  return {
    count,
    fields: {
      features: {
        type: 'float32',
        dims: [count, frames, 5],
        data: Float32Array.from({ length: count * frames * 5 }, () => stream.uniform() - 0.5),
      },
      lengths: {
        type: 'int32',
        dims: [count],
        data: Int32Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 4 : frames)),
      },
      targets: {
        type: 'int32',
        dims: [count, labels],
        data: Int32Array.from({ length: count * labels }, () => 1 + stream.integer(5)),
      },
      target_lengths: { type: 'int32', dims: [count], data: whole(labels) },
    },
  };
}

const examples = imageExamples('long training', 9, imageShape, 3);
const cases: [string, Case][] = [
  ['a perceptron', { ...mlp, examples }],
  ['a perceptron whose gradients are not clipped', { ...mlp, examples, options: { clipped: false } }],
  ['a perceptron on the graph for several clients', { ...mlp, examples, options: { grouped: true } }],
  ['a convolutional network, its kernels in another order', { model: cnn, objective: 'classification', examples }],
  [
    // Its patches are a product with a constant, which the runtime packs; unpacked, some bits are others.
    'a residual network, its patches cut out by a product',
    { model: resNet, objective: 'classification', examples: imageExamples('long training', 9, smallImage, 3) },
  ],
  ['a transformer with dropout and CTC', { model: transformer, objective: 'transcription', examples: utterances() }],
];

describe.each(cases)('%s', (_, { model, objective, examples, options }) => {
  const artifact = compileTraining(model, bindModel(model, objective, 'long'), { batchSize: 2, ...options });
  const settings = { learningRate: 0.3, maxGradientNorm: options?.clipped === false ? null : 0.5 };
  const schedule = {
    order: Int32Array.of(3, 1, 0, 8, 2, 7, 4, 6, 5, 0, 1),
    offsets: [0, 2, 4, 6, 8, 9, 11],
  };
  const parts = [0, 1, 4, 6];

  test('in parts comes to the bits of one run after the other', async () => {
    const session = await TrainingSession.create(artifact);
    const start = parametersOf(model, session.layout);
    const seeds = Uint32Array.of(11, 22, 33, 44, 55, 66);
    const losses: number[] = [];
    const infeasible: number[] = [];
    let from = start;
    for (const [part, last] of parts.slice(1).entries()) {
      const offsets = schedule.offsets.slice(parts[part]!, last + 1);
      const run = await session.run(from, {
        examples,
        settings,
        schedule: {
          order: schedule.order.slice(offsets[0], offsets.at(-1)),
          offsets: offsets.map((at) => at - offsets[0]!),
        },
        dropoutSeed: session.drops ? seeds.subarray(2 * part, 2 * part + 2) : undefined,
      });
      losses.push(...run.losses);
      infeasible.push(...run.infeasible);
      from = from.map((value, i) => value - session.delta[i]!);
    }
    const dropoutSeed = session.drops ? seeds : undefined;
    const whole = await session.run(start, { examples, settings, schedule, parts, dropoutSeed });
    expect([...whole.losses]).toEqual(losses);
    expect([...whole.infeasible]).toEqual(infeasible);
    expect(infeasible.some((count) => count > 0)).toBe(objective === 'transcription');
    expectSame(
      session.delta.subarray(0, start.length),
      start.map((value, i) => value - from[i]!),
    );
    expect(session.delta.some((value) => value !== 0)).toBe(true);
  });

  test('of more visits than go at once, is one run of the runtime for the trainer, too', async () => {
    const trainer = await LocalTrainer.create(artifact);
    const start = parametersOf(model, trainer.layout);
    const local = localConfig.parse({
      steps: 150,
      batchSize: 2,
      learningRate: 0.01,
      maxGradientNorm: settings.maxGradientNorm,
    });
    const draws = () => namedStream('long training', 'batches');
    const { delta, ...figures } = await trainer.train(start, examples, local, draws());
    const first = delta.slice();
    expect(figures.steps).toBe(150);
    expect(Number.isFinite(figures.loss) && first.every(Number.isFinite) && first.some((value) => value !== 0)).toBe(
      true,
    );
    const prepared = trainer.prepare(start);
    const { prototype } = ort.InferenceSession as unknown as { readonly prototype: ort.InferenceSession };
    const runs = jest.spyOn(prototype, 'run');
    expectSame((await trainer.train(prepared, examples, local, draws())).delta, first);
    expect(runs).toHaveBeenCalledTimes(1);
    runs.mockRestore();
    prepared.release();
  });
});

/** Bit by bit, and quicker than Jest is with a million numbers. */
function expectSame(found: Float32Array, expected: Float32Array): void {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  expect(Buffer.compare(bytes(found), bytes(expected))).toBe(0);
}
