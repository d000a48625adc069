import { describe, expect, test } from '@jest/globals';
import type { ExampleBatch, FederatedDataset } from '../../data/dataset.ts';
import { datasetFingerprint } from '../../data/fingerprint.ts';

/** Users with one label each. */
function dataset(labels: readonly number[], description = 'toy'): FederatedDataset {
  const example = (label: number): ExampleBatch => ({
    count: 1,
    fields: {
      label: { type: 'int32', dims: [1], data: Int32Array.of(label) },
      image: { type: 'float32', dims: [1, 1, 1, 1], data: Float32Array.of(label / 3) },
    },
  });
  return {
    task: { kind: 'classification', classes: ['a', 'b'], imageShape: [1, 1, 1] },
    population: labels.length,
    description,
    client: (id) => example(labels[id]!),
    evaluation: () => example(0),
  };
}

describe('datasetFingerprint', () => {
  const labels = [0, 1, 2, 3, 4, 5];

  test('is the same for two copies of the same data', () => {
    expect(datasetFingerprint(dataset(labels))).toBe(datasetFingerprint(dataset([...labels])));
  });

  test.each([
    ['a user is missing', dataset(labels.slice(1))],
    ['users stand in another order', dataset([1, 0, 2, 3, 4, 5])],
    ['the data set describes itself otherwise', dataset(labels, 'other')],
  ])('differs when %s', (_why, other) => {
    expect(datasetFingerprint(other)).not.toBe(datasetFingerprint(dataset(labels)));
  });

  test('looks at a bounded number of users', () => {
    const users: number[] = [];
    const vast = {
      ...dataset(labels),
      population: 1e9,
      client: (id: number) => {
        users.push(id);
        return dataset(labels).client(id % 6);
      },
    };
    datasetFingerprint(vast);
    expect(users.length).toBeLessThan(100);
    expect(Math.min(...users)).toBe(0);
    expect(Math.max(...users)).toBe(1e9 - 1);
  });
});
