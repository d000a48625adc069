import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readModelFile } from '../../graph/onnx/read.ts';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;
const fixture = fileURLToPath(new URL('../fixtures/fixed-batch/vision-transformer.batch4.onnx', import.meta.url));
const note = /^note: the file fixes a batch size of 4; dpfl opened it, and 3 random examples together/m;

const CHANGES = {
  model: { kind: 'onnx', path: 'user.onnx' },
  data: {
    kind: 'synthetic-images',
    population: 500,
    samplesPerUser: 7,
    imageShape: [3, 8, 8],
    classes: 5,
    evaluationSamples: 33,
  },
  seedModel: undefined,
  // Mini-batches of three, three and one.
  local: { epochs: 1, batchSize: 3, learningRate: 0.1 },
  federation: { rounds: 2, expectedCohort: 6, workers: 1 },
  optimizer: { kind: 'sgd', learningRate: 1 },
  privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 0.1 }, delta: 1e-4 },
};

describeBuilt('a model that PyTorch exported for batches of four', () => {
  let directory: string;
  let run: string;

  beforeAll(() => {
    directory = tinyDirectory(CHANGES);
    run = join(directory, 'runs', 'tiny-001');
    copyFileSync(fixture, join(directory, 'user.onnx'));
  });
  afterAll(cleanUp);

  test(
    'is trained on mini-batches of other sizes, which the run says',
    async () => {
      const { status, stderr } = await dpfl(['run', 'tiny.yaml'], { cwd: directory });
      expect(status).toBe(0);
      expect(stderr).toMatch(note);
    },
    PATIENCE,
  );

  test('is written with an open batch axis, trained, its layers under their names', () => {
    const [before, after] = [readModelFile(fixture), readModelFile(join(run, 'model.onnx'))];
    expect(after.graph.inputs[0]!.shape).toEqual(['batch', 3, 8, 8]);
    expect(after.weights).toEqual(before.weights);
    const head = (model: typeof before) => model.graph.constants.get('head.weight')!.data;
    expect(head(after)).not.toEqual(head(before));
  });

  test(
    'is replayed by verify, bit for bit',
    async () => {
      const { status, stdout } = await dpfl(['verify', run], { cwd: directory });
      expect(stdout).toMatch(/ok +replay: round \d/);
      expect(status).toBe(0);
    },
    PATIENCE,
  );

  test(
    'needs nothing of the kind the second time: the trained file is open',
    async () => {
      const trained = ['--set', `model.path=${join(run, 'model.onnx')}`, '--output', 'again'];
      const { status, stderr } = await dpfl(['run', 'tiny.yaml', ...trained], { cwd: directory });
      expect(status).toBe(0);
      expect(stderr).not.toMatch(note);
      expect(readFileSync(join(directory, 'again', 'tiny-001', 'report.md'), 'utf8')).toContain('2 of 2');
    },
    PATIENCE,
  );
});
