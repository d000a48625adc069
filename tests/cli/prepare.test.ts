import { describe, expect, test } from '@jest/globals';
import { blockOf, prepare } from '../../cli/prepare.ts';
import { ConfigError, PrivacyError } from '../../errors.ts';
import { smallConfig, smallRun } from './small-run.ts';

const privacy = { clipping: { mode: 'global', bound: 1 }, delta: 1e-6, accountant: 'rdp' };

describe('prepare', () => {
  test('model, data, layout and task fit each other', async () => {
    const run = await smallRun();
    expect(run.layout.layers.map(({ name }) => name)).toEqual(run.training.layers.map(({ name }) => name));
    expect(run.task).toMatchObject({
      seed: 1,
      clipping: { mode: 'global', bound: 1 },
      dataFingerprint: run.dataFingerprint,
      layers: run.training.layers,
    });
    for (const key of ['weighting', 'transport', 'block']) expect(run.task).not.toHaveProperty(key);
    expect((await smallRun()).modelFingerprint).toBe(run.modelFingerprint);
  });

  test('noise that is to be calibrated is a number afterwards', async () => {
    const noise = { calibrate: true };
    const { config } = await smallRun({ privacy: { ...privacy, noise, budget: { epsilon: 3, delta: 1e-6 } } });
    expect(config.privacy.noise).toEqual({ multiplier: expect.any(Number) });
  });

  test('what is allowed but weak is a warning', async () => {
    expect((await smallRun()).warnings).toEqual([]);
    const weak = await smallRun({ privacy: { ...privacy, noise: { multiplier: 1 }, delta: 0.01 } });
    expect(weak.warnings).toHaveLength(1);
  });

  test('a seed model without public examples is refused', async () => {
    const seedModel = { steps: 1, batchSize: 1, optimizer: { kind: 'sgd', learningRate: 1 } };
    await expect(smallRun({ seedModel })).rejects.toThrow(ConfigError);
    await expect(smallRun({ seedModel })).rejects.toThrow(
      "seedModel: the data set 'synthetic-images' has no public examples; remove this section",
    );
  });

  test('a budget that the first round exceeds is refused before anything is trained', async () => {
    const sections = { privacy: { ...privacy, noise: { multiplier: 1 }, budget: { epsilon: 1e-4, delta: 1e-6 } } };
    await expect(smallRun(sections)).rejects.toThrow(PrivacyError);
    await expect(smallRun(sections)).rejects.toThrow(
      'privacy.budget: the first round alone costs more than epsilon 0.0001',
    );
  });
});

test('a task names the block of channels only where its training step has any', async () => {
  const data = {
    kind: 'synthetic-images',
    population: 1000,
    imageShape: [3, 16, 16],
    samplesPerUser: 4,
    evaluationSamples: 2,
  };
  const blockOfTask = async (channels: number[], block?: 8 | 16) => {
    const { task } = await prepare(smallConfig({ model: { kind: 'cnn', channels, hidden: 8 }, data }), block);
    return task.block;
  };
  expect(await blockOfTask([16, 32], 16)).toBe(16);
  expect(await blockOfTask([16, 32])).toBeUndefined();
  // Channels that are no whole blocks: any worker may train it.
  expect(await blockOfTask([6, 10], 16)).toBeUndefined();
});

test('blockOf: portable kernels are for any processor', async () => {
  const federation = { rounds: 1, expectedCohort: 10, kernels: 'portable' };
  expect(await blockOf(smallConfig({ federation }))).toBeUndefined();
});
