import { type WorkerTask, workerTask } from '../../client/task.ts';
import { datasetFingerprint } from '../../data/fingerprint.ts';
import { openDataset } from '../../data/open.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildModel } from '../../models/build.ts';
import { ParameterLayout } from '../../params/layout.ts';

const data = {
  kind: 'synthetic-images',
  population: 5,
  imageShape: [1, 8, 8],
  samplesPerUser: 4,
  evaluationSamples: 2,
};
const parsed = workerTask.omit({ dataFingerprint: true, layers: true }).parse({
  data,
  seed: 1,
  local: { epochs: 1, batchSize: 2, learningRate: 0.1 },
  gridStep: 2 ** -30,
  clipping: { mode: 'global', bound: 1 },
});
const dataset = openDataset(parsed.data, parsed.seed);
const model = buildModel({ kind: 'mlp', hidden: [8] }, dataset.task, 1);

/** A perceptron's training step, for five users of synthetic images. */
export const artifact = compileTraining(model, bindModel(model, dataset.task.kind, 'mlp'));

/** The task that goes with it. */
export const task: WorkerTask = { ...parsed, dataFingerprint: datasetFingerprint(dataset), layers: artifact.layers };

/** The parameters that training begins with. */
export function firstParameters(): Float32Array {
  return parametersOf(model, new ParameterLayout(artifact.layers));
}
