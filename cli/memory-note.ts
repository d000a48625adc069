import type { FederatedDataset } from '../data/dataset.ts';
import { DpflError } from '../errors.ts';
import { estimateStep } from '../graph/estimate.ts';
import type { Model } from '../graph/ir.ts';
import { formatBytes } from '../report/format.ts';

/**
 * What a worker needs to train one client, the only one it trains at a time. Sequences are taken to be as long as the longest held out.
 * undefined where the shapes of the model do not tell.
 */
export function memoryNote(model: Model, dataset: FederatedDataset, batchSize: number): string | undefined {
  const { fields } = dataset.evaluation();
  const length = Math.max(1, ...Object.values(fields).map(({ dims }) => dims[1] ?? 1));
  try {
    const { bytes, activationBytes } = estimateStep(model, { batch: batchSize, length });
    const batch = `mini-batches of ${batchSize}${fields.features ? ` × ${length} frames` : ''}`;
    return `memory of a worker for one client: about ${formatBytes(bytes)}, parameters × 3 and ${formatBytes(activationBytes)} of activations for ${batch}`;
  } catch (error) {
    if (error instanceof DpflError) return undefined;
    throw error;
  }
}
