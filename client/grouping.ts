import type { FederatedDataset } from '../data/dataset.ts';
import { batchOffsets } from './batches.ts';
import type { LocalConfig } from './config.ts';

/**
 * Most visits of examples that the training graph takes at once, if they are more than one step: it gathers rows of all visits
 * (graph/deferred-updates.ts), which are to stay few beside the weights.
 */
export const visitsAtOnce = 256;

/** Whether a client with these mini-batches is trained in parts (graph/long-training.ts), and so without company. @param offsets as in `batchOffsets` */
export function takesParts(offsets: readonly number[]): boolean {
  return offsets.length > 2 && offsets.at(-1)! > visitsAtOnce;
}

/** What a run of the graph for several clients costs, in runs of the graph for one: measured with perceptrons (784-32-10; docs/performance.md). */
const perRun = 0.77;
const perClient = 0.44;
/** What a client that is trained in parts costs on the graph for several. */
const alone = 1.1;

/** Clients that are looked at, in shards of so many. */
const [looked, together] = [64, 8];

/**
 * Whether clients have company often enough for training several in one run to pay: those with as many mini-batches of the same sizes train
 * together, and one without company twice. Where all have different numbers of examples and take whole epochs, it does not.
 */
export function groupingPays(
  dataset: Pick<FederatedDataset, 'expectedWork' | 'population'>,
  local: LocalConfig,
): boolean {
  const { expectedWork, population } = dataset;
  if (expectedWork === undefined) return true;
  const count = Math.min(looked, population);
  const sizes = Array.from({ length: count }, (_, i) => {
    return dataset.expectedWork!(Math.floor((i * population) / count)).examples;
  }).sort((a, b) => a - b);
  let cost = 0;
  for (let first = 0; first < count; first += together) {
    const schedules = sizes.slice(first, first + together).map((size) => batchOffsets(size, local.batchSize, local));
    const short = schedules.filter((offsets) => !takesParts(offsets));
    cost += alone * (schedules.length - short.length);
    const groups = new Map<string, number>();
    for (const offsets of short) groups.set(offsets.join(), (groups.get(offsets.join()) ?? 0) + 1);
    for (const clients of groups.values()) cost += perRun + perClient * Math.max(2, clients);
  }
  return cost < count;
}
