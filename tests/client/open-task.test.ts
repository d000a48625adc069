import { describe, expect, test } from '@jest/globals';
import { openTask } from '../../client/open-task.ts';
import { processorBlock } from '../../client/processor-block.ts';
import { type WorkerTask, workerTask } from '../../client/task.ts';
import { datasetFingerprint } from '../../data/fingerprint.ts';
import { openDataset } from '../../data/open.ts';
import { ModelError } from '../../errors.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { buildModel } from '../../models/build.ts';

const data = {
  kind: 'synthetic-images',
  population: 5,
  imageShape: [1, 8, 8],
  samplesPerUser: 4,
  evaluationSamples: 2,
};
const partial = { data, seed: 1, local: { epochs: 1, batchSize: 2, learningRate: 0.1 }, gridStep: 2 ** -30 };
const parsed = workerTask.omit({ dataFingerprint: true, layers: true }).parse({
  ...partial,
  clipping: { mode: 'global', bound: 1 },
});
const dataset = openDataset(parsed.data, parsed.seed);
const model = buildModel({ kind: 'mlp', hidden: [8] }, dataset.task, 1);
const artifact = compileTraining(model, bindModel(model, dataset.task.kind, 'mlp'));
const task: WorkerTask = { ...parsed, dataFingerprint: datasetFingerprint(dataset), layers: artifact.layers };

describe('opening a task', () => {
  test('a step for this processor, or for all, is opened; sums are written where the kernels reach', async () => {
    for (const block of new Set([undefined, await processorBlock()])) {
      const { sum, layers } = await openTask({ ...task, block }, artifact);
      expect([sum?.length, layers]).toEqual([
        artifact.layers.reduce((n, { shape }) => n + shape.reduce((a, b) => a * b), 0),
        4,
      ]);
    }
  });

  test('a step for another kind of processor is refused with the mend: it would give wrong numbers', async () => {
    const other = (await processorBlock()) === 8 ? 16 : 8;
    const opening = openTask({ ...task, block: other }, artifact);
    await expect(opening).rejects.toThrow(ModelError);
    await expect(opening).rejects.toThrow(/made for blocks of (8|16); .*federation\.kernels: portable/);
  });
});
