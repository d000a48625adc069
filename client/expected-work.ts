import type { FederatedDataset } from '../data/dataset.ts';
import type { LocalConfig } from './config.ts';

/**
 * What a client's local training is expected to cost, without loading its data: the passes over its examples that the settings ask for,
 * each at the cost that the data set states. In a unit of the data set's own; 1 for every client when the data set states nothing.
 */
export function expectedWork(dataset: Pick<FederatedDataset, 'expectedWork'>, local: LocalConfig, id: number): number {
  const work = dataset.expectedWork?.(id);
  if (work === undefined || work.examples === 0) return 1;
  const { steps, epochs, batchSize } = local;
  const passes = steps === undefined ? (epochs ?? 1) : (steps * Math.min(batchSize, work.examples)) / work.examples;
  return passes * work.pass;
}

/** Local steps of a client, without loading its data; undefined when they depend on examples that the data set does not state. */
export function expectedSteps(
  dataset: Pick<FederatedDataset, 'expectedWork'>,
  { steps, epochs = 1, batchSize }: LocalConfig,
  id: number,
): number | undefined {
  if (steps !== undefined) return steps;
  const work = dataset.expectedWork?.(id);
  return work === undefined ? undefined : epochs * Math.ceil(work.examples / batchSize);
}
