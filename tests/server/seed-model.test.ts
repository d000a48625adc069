import { describe, expect, test } from '@jest/globals';
import type { ClientTrainer } from '../../client/train-clients.ts';
import { vectorOf } from '../../client/training-session.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { namedStream } from '../../random/stream.ts';
import { seedModelConfig } from '../../server/config.ts';
import { drawWithoutReplacement, trainSeedModel } from '../../server/seed-model.ts';

const layout = new ParameterLayout([{ name: 'w', shape: [2] }]);

/** Six public points on a line; the best parameters are their mean. */
const examples: ExampleBatch = {
  count: 6,
  fields: { point: { type: 'float32', dims: [6, 2], data: Float32Array.from({ length: 12 }, (_, i) => i / 6) } },
};

/** Gradient of half the squared distance to the mean of the batch. */
const trainer: ClientTrainer = {
  async train(start, batch, settings) {
    const points = batch.fields.point.data;
    const delta = vectorOf(start).map((value, i) => {
      let mean = 0;
      for (let row = 0; row < batch.count; row++) mean += points[2 * row + i] / batch.count;
      return settings.learningRate * (value - mean);
    });
    return { delta, loss: Math.hypot(...delta) };
  },
};

function stage(settings: object = {}) {
  const config = seedModelConfig.parse({
    steps: 3,
    batchSize: 6,
    optimizer: { kind: 'sgd', learningRate: 0.5 },
    ...settings,
  });
  return { trainer, examples, config, layout, seed: 1 };
}

describe('trainSeedModel', () => {
  test('each step is the central optimizer on the batch gradient', async () => {
    const initial = Float32Array.of(0, 0);
    const result = await trainSeedModel(initial, stage());
    // The mean is (5/6, 1); each step halves the distance.
    expect(result[0]).toBeCloseTo((5 / 6) * (1 - 1 / 8), 6);
    expect(result[1]).toBeCloseTo(1 - 1 / 8, 6);
    expect([...initial]).toEqual([0, 0]);
  });

  test('asks for exactly one step with rate 1 and the configured clipping', async () => {
    const asked: unknown[] = [];
    const watching: ClientTrainer = {
      train: (parameters, batch, settings, random) => {
        asked.push(settings);
        return trainer.train(parameters, batch, settings, random);
      },
    };
    await trainSeedModel(layout.allocate(), {
      ...stage({ steps: 1, batchSize: 4, maxGradientNorm: null }),
      trainer: watching,
    });
    expect(asked).toEqual([{ steps: 1, batchSize: 4, learningRate: 1, maxGradientNorm: null }]);
  });

  test('batches differ from step to step and depend on the seed alone', async () => {
    const settings = { steps: 5, batchSize: 2 };
    const losses: number[] = [];
    const onStep = (_step: number, loss: number) => losses.push(loss);
    const first = await trainSeedModel(layout.allocate(), { ...stage(settings), onStep });
    expect(losses).toHaveLength(5);
    expect(await trainSeedModel(layout.allocate(), stage(settings))).toEqual(first);
    expect(await trainSeedModel(layout.allocate(), { ...stage(settings), seed: 2 })).not.toEqual(first);
  });

  test('a gradient that is not finite is an error', async () => {
    const broken: ClientTrainer = { train: async () => ({ delta: Float32Array.of(Number.NaN, 0), loss: 1 }) };
    const run = trainSeedModel(layout.allocate(), { ...stage(), trainer: broken });
    await expect(run).rejects.toThrow('seedModel: the gradient of step 1 is not finite');
  });
});

describe('drawWithoutReplacement', () => {
  test('draws distinct indices, all of them when asked for more', () => {
    const draw = drawWithoutReplacement(10, 4, namedStream(1, 'draw'));
    expect(new Set(draw).size).toBe(4);
    expect([...drawWithoutReplacement(5, 9, namedStream(1, 'draw'))].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test('every index is drawn equally often', () => {
    const counts = new Float64Array(8);
    for (let repeat = 0; repeat < 2000; repeat++) {
      for (const index of drawWithoutReplacement(8, 2, namedStream(repeat, 'draw'))) counts[index] += 1;
    }
    // 500 expected of each; five standard errors.
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(5 * Math.sqrt(2000 * 0.25 * 0.75));
  });
});
