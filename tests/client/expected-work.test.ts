import { expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { expectedWork } from '../../client/expected-work.ts';

const dataset = { expectedWork: (id: number) => ({ examples: 10 * (id + 1), pass: 1000 * (id + 1) }) };

test('epochs cost as much as the data, steps no more than their batches', () => {
  const epochs = localConfig.parse({ epochs: 3, batchSize: 4, learningRate: 1 });
  expect([0, 1].map((id) => expectedWork(dataset, epochs, id))).toEqual([3000, 6000]);
  const steps = localConfig.parse({ steps: 5, batchSize: 20, learningRate: 1 });
  // User 0 has only ten examples, and trains on all of them at every step.
  expect([0, 1, 2].map((id) => expectedWork(dataset, steps, id))).toEqual([5000, 10_000, 10_000]);
});

test('users are alike when the data set states nothing', () => {
  const local = localConfig.parse({ steps: 5, batchSize: 2, learningRate: 1 });
  expect(expectedWork({}, local, 7)).toBe(1);
});
