import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { writeImages } from './support/image-files.ts';
import { cleanUp, type Outcome, outcomeOf, tinyDirectory, writeConfig } from './support/tiny-run.ts';

const PATIENCE = 90_000;

const IMAGES = {
  name: 'images',
  model: { kind: 'cnn', channels: [2, 3], hidden: 8 },
  data: { kind: 'cifar10', path: 'images', samplesPerUser: 10 },
  seedModel: undefined,
  local: { epochs: 1, batchSize: 5, learningRate: 0.05, maxGradientNorm: null },
  optimizer: { kind: 'sgd', learningRate: 1 },
  privacy: { mechanism: 'none', clipping: { mode: 'none', bound: 1000 } },
};

describeBuilt('images', () => {
  let directory: string;
  let expected: Outcome;

  beforeAll(async () => {
    directory = tinyDirectory();
    writeImages(join(directory, 'images'), 200, 20);
    writeConfig(join(directory, 'images.yaml'), IMAGES);
    expect(await dpfl(['run', 'images.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'images-001'));
  }, PATIENCE);
  afterAll(cleanUp);

  const evaluation = ({ rounds }: Outcome, round: number) =>
    (rounds[round] as { evaluation: { loss: number; accuracy: number } }).evaluation;

  test('a cnn trains without privacy, and the report says that there is none', () => {
    expect(evaluation(expected, 3).loss).toBeLessThan(evaluation(expected, 0).loss);
    expect(readFileSync(join(directory, 'runs', 'images-001', 'report.md'), 'utf8')).toContain(
      '**No differential privacy.**',
    );
  });

  test(
    'the same model comes of one worker and of other shards',
    async () => {
      const changes = ['--set', 'federation.workers=1', '--set', 'federation.shardSize=5'];
      expect(await dpfl(['run', 'images.yaml', ...changes], { cwd: directory })).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'runs', 'images-002'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'a small perceptron, several clients of which train in one run, comes to the same model whatever stands in a shard',
    async () => {
      writeConfig(join(directory, 'perceptron.yaml'), {
        name: 'perceptron',
        model: { kind: 'mlp', hidden: [70, 9] },
        // Clients of many sizes: who trains together depends on the shard.
        data: {
          kind: 'synthetic-images',
          population: 500,
          imageShape: [1, 9, 9],
          samplesPerUser: 7,
          samplesSpread: 0.5,
        },
        seedModel: undefined,
        local: { epochs: 1, batchSize: 3, learningRate: 0.1 },
        federation: { rounds: 3, expectedCohort: 60, workers: 2, shardSize: 13 },
      });
      const outcomes: Outcome[] = [];
      for (const changes of [[], ['workers=0'], ['workers=3', 'shardSize=1'], ['workers=1', 'shardSize=100']]) {
        const set = changes.flatMap((change) => ['--set', `federation.${change}`]);
        expect(await dpfl(['run', 'perceptron.yaml', ...set], { cwd: directory })).toMatchObject({ status: 0 });
        outcomes.push(outcomeOf(join(directory, 'runs', `perceptron-00${outcomes.length + 1}`)));
      }
      for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      const verified = await dpfl(['verify', 'runs/perceptron-003'], { cwd: directory });
      expect(verified).toMatchObject({ status: 0 });
    },
    PATIENCE,
  );

  test(
    'a run is not resumed over other data, whose user ids mean other users',
    async () => {
      writeConfig(join(directory, 'changed.yaml'), {
        ...IMAGES,
        name: 'changed',
        data: { ...IMAGES.data, path: 'changing' },
      });
      writeImages(join(directory, 'changing'), 200, 20);
      expect(await dpfl(['run', 'changed.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
      writeImages(join(directory, 'changing'), 190, 20);
      const more = ['--resume', join('runs', 'changed-001'), '--set', 'federation.rounds=4'];
      const { status, stderr } = await dpfl(['run', ...more], { cwd: directory });
      expect({ status, stderr }).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('the data is not what this run began with'),
      });
    },
    PATIENCE,
  );

  test(
    "a run's model.onnx can be trained on as the user's own model, and inspected",
    async () => {
      // Relative to the configuration file, wherever the command is given.
      const model = { kind: 'onnx', path: 'runs/images-001/model.onnx' };
      writeConfig(join(directory, 'own.yaml'), { ...IMAGES, name: 'own', model });
      const output = join(directory, 'runs');
      const { status } = await dpfl(['run', join(directory, 'own.yaml'), '--output', output]);
      expect(status).toBe(0);
      const own = outcomeOf(join(output, 'own-001'));
      expect(evaluation(own, 0)).toEqual(evaluation(expected, 3));
      expect(own.model).not.toBe(expected.model);

      const inspection = await dpfl(['model', 'inspect', join(output, 'own-001', 'model.onnx')]);
      expect(inspection.status).toBe(0);
      expect(inspection.stdout).toMatch(/conv1\.weight +54 +\[2, 3, 3, 3\]/);
    },
    PATIENCE,
  );
});
