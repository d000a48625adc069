import type { FederatedDataset } from '../data/dataset.ts';
import { FieldBuffers } from '../data/field-buffers.ts';
import { datasetFingerprint } from '../data/fingerprint.ts';
import { openDataset } from '../data/open.ts';
import { DataError, ModelError } from '../errors.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { ExactGrid } from '../params/grid.ts';
import { ParameterLayout } from '../params/layout.ts';
import { allocateVectors } from '../params/vector-memory.ts';
import { ClientNoise } from '../privacy/client-noise.ts';
import { Clipper } from '../privacy/clipping.ts';
import { clientWeight } from '../privacy/weighting.ts';
import { processorBlock } from './processor-block.ts';
import type { ShardContext } from './shard.ts';
import type { WorkerTask } from './task.ts';
import { deltasKept, LocalTrainer } from './trainer.ts';

/** One user under two ids, on two machines, could be sampled twice in a round and move the sum by twice the clipping bound. */
function requireSameUsers(dataset: FederatedDataset, { data, dataFingerprint }: WorkerTask): void {
  if (datasetFingerprint(dataset) === dataFingerprint) return;
  const where = 'path' in data ? `${data.path}: ` : '';
  throw new DataError(`${where}this copy of the data differs from the server's; copy the server's files, all of them`);
}

/** A step for another kind of processor would give wrong numbers, not an error. */
async function requireBlock(block: WorkerTask['block']): Promise<void> {
  if (block === undefined) return;
  const own = await processorBlock();
  if (own === block) return;
  throw new ModelError(
    `this machine's processor takes ${own === undefined ? 'no blocks of channels' : `blocks of ${own} channels`}, and the run's training step is made for blocks of ${block}; use workers of the same kind as the server, or set federation.kernels: portable`,
  );
}

/**
 * Opens the task's data, and its training step in onnxruntime.
 * @throws DataError or ConfigError when the data cannot be opened; ModelError when the training step cannot be loaded, or is made for
 *   another kind of processor
 */
export async function openTask(task: WorkerTask, model: TrainingArtifact): Promise<ShardContext> {
  const layout = new ParameterLayout(task.layers);
  const dataset = openDataset(task.data, task.seed);
  requireSameUsers(dataset, task);
  await requireBlock(task.block);
  const { delta, sum } = allocateVectors(layout.size, deltasKept(layout.size));
  return {
    seed: task.seed,
    local: task.local,
    layers: layout.layers.length,
    dataset,
    buffers: new FieldBuffers(),
    trainer: await LocalTrainer.create(model, delta),
    sum,
    clipper: new Clipper(layout, task.clipping, new ExactGrid(task.gridStep)),
    weight: (examples) => clientWeight(task.weighting, examples),
    inRound: ({ clipping, gridStep, noise }) => ({
      clipper: new Clipper(layout, clipping, new ExactGrid(gridStep)),
      noise: noise && new ClientNoise(noise, task.seed),
    }),
  };
}
