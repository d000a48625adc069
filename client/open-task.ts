import { openDataset } from '../data/open.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { ExactGrid } from '../params/grid.ts';
import { ParameterLayout } from '../params/layout.ts';
import { Clipper } from '../privacy/clipping.ts';
import type { ShardContext } from './shard.ts';
import type { WorkerTask } from './task.ts';
import { LocalTrainer } from './trainer.ts';

/**
 * Opens the task's data, and its training step in onnxruntime.
 * @throws DataError or ConfigError when the data cannot be opened; ModelError when the training step cannot be loaded
 */
export async function openTask(task: WorkerTask, model: TrainingArtifact): Promise<ShardContext> {
  const layout = new ParameterLayout(task.layers);
  return {
    seed: task.seed,
    local: task.local,
    layers: layout.layers.length,
    dataset: openDataset(task.data, task.seed),
    trainer: await LocalTrainer.create(model),
    clipper: new Clipper(layout, task.clipping, new ExactGrid(task.gridStep)),
  };
}
