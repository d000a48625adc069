import { describe, expect, test } from '@jest/globals';
import { dataConfig } from '../../data/config.ts';
import { openDataset } from '../../data/open.ts';
import { DataError } from '../../errors.ts';

describe('openDataset', () => {
  test('opens synthetic speech with the contract of a transcription task', () => {
    const data = openDataset(dataConfig.parse({ kind: 'synthetic-speech', population: 12 }), 'a text seed');
    expect(data.population).toBe(12);
    expect(data.task).toMatchObject({ kind: 'transcription', filters: 80 });
    const batch = data.client(11);
    expect(Object.keys(batch.fields)).toEqual(['features', 'lengths', 'targets', 'target_lengths']);
    for (const { dims, data: values } of Object.values(batch.fields)) {
      expect(dims[0]).toBe(batch.count);
      expect(values).toHaveLength(dims.reduce((product, dimension) => product * dimension, 1));
    }
  });

  test.each(['fsdd', 'cifar10'])('%s names the missing folder', (kind) => {
    const config = dataConfig.parse({ kind, path: '/no/such/folder' });
    expect(() => openDataset(config, 1)).toThrow(DataError);
    expect(() => openDataset(config, 1)).toThrow(/^\/no\/such\/folder/);
  });
});
