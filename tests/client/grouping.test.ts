import { describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { groupingPays } from '../../client/grouping.ts';

const users = (examples: (id: number) => number, population = 10_000) => ({
  population,
  expectedWork: (id: number) => ({ examples: examples(id), pass: 1 }),
});
const epochs = localConfig.parse({ epochs: 1, batchSize: 10, learningRate: 0.1 });
const steps = localConfig.parse({ steps: 3, batchSize: 10, learningRate: 0.1 });

describe('training several clients in one run', () => {
  test.each([
    ['all have as many examples', users(() => 50), epochs],
    ['the data set knows of no difference', { population: 5 }, epochs],
    ['there are a few sizes', users((id) => 20 + 10 * (Math.floor(id / 7) % 3)), epochs],
    ['sizes differ, and all take a few steps of whole batches', users((id) => 30 + (id % 997)), steps],
  ])('pays where %s', (_, dataset, local) => {
    expect(groupingPays(dataset, local)).toBe(true);
  });

  test.each([
    ['hardly two have as many examples', users((id) => 20 + (id % 197)), epochs],
    ['there is but one user', users(() => 50, 1), epochs],
    ['each is trained in parts', users(() => 50), localConfig.parse({ ...epochs, epochs: 10 })],
  ])('does not where %s', (_, dataset, local) => {
    expect(groupingPays(dataset, local)).toBe(false);
  });
});
