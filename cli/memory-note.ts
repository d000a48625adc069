import { deltasKept } from '../client/trainer.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { DpflError } from '../errors.ts';
import { estimateStep } from '../graph/estimate.ts';
import { layersOf } from '../graph/forward.ts';
import type { Model } from '../graph/ir.ts';
import { ParameterLayout } from '../params/layout.ts';
import { formatBytes } from '../report/format.ts';

/**
 * What a worker needs to train one client (of small models it may train several at a time, which need activations each), and for what clients
 * come to. Sequences are taken to be as long as the longest held out.
 * undefined where the shapes of the model do not tell.
 */
export function memoryNote(model: Model, dataset: FederatedDataset, batchSize: number): string | undefined {
  const { fields } = dataset.evaluation();
  const length = Math.max(1, ...Object.values(fields).map(({ dims }) => dims[1] ?? 1));
  try {
    const { bytes, activationBytes } = estimateStep(model, { batch: batchSize, length });
    const batch = `mini-batches of ${batchSize}${fields.features ? ` × ${length} frames` : ''}`;
    const client = `memory of a worker for one client: about ${formatBytes(bytes)}, parameters × 3 and ${formatBytes(activationBytes)} of activations for ${batch}`;
    const parameters = new ParameterLayout(layersOf(model)).size;
    return `${client}; ${formatBytes((8 + 4 * deltasKept(parameters)) * parameters)} for deltas and their sum`;
  } catch (error) {
    if (error instanceof DpflError) return undefined;
    throw error;
  }
}
