import { describe, expect, test } from '@jest/globals';
import { dataConfig } from '../../data/config.ts';

describe('dataConfig', () => {
  test('fills in the defaults', () => {
    expect(dataConfig.parse({ kind: 'synthetic-speech' })).toMatchObject({
      population: 1_000_000,
      utterancesPerUser: 4,
      minWords: 1,
      features: { sampleRate: 8000, windowMs: 25, hopMs: 10, filters: 80, preemphasis: 0 },
    });
    expect(dataConfig.parse({ kind: 'fsdd', path: 'x' })).toMatchObject({ takesPerUser: 5, heldOutTakes: 5 });
    expect(dataConfig.parse({ kind: 'cifar10', path: 'x' })).toMatchObject({
      samplesPerUser: 50,
      partition: { kind: 'iid' },
    });
  });

  test('its own output is valid input', () => {
    const config = dataConfig.parse({ kind: 'synthetic-speech', features: { filters: 24 } });
    expect(dataConfig.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  test.each<[string, unknown, string, RegExp]>([
    ['unknown kind', { kind: 'mnist' }, 'kind', /./],
    ['unknown key', { kind: 'fsdd', path: 'x', speakers: 3 }, '', /speakers/],
    ['unknown feature key', { kind: 'synthetic-speech', features: { mels: 3 } }, 'features', /mels/],
    ['no path', { kind: 'cifar10' }, 'path', /./],
    ['no users', { kind: 'synthetic-speech', population: 0 }, 'population', /./],
    ['words reversed', { kind: 'synthetic-speech', minWords: 3, maxWords: 2 }, 'minWords', /must not exceed/],
    ['too many words', { kind: 'synthetic-speech', maxWords: 7 }, 'maxWords', /6/],
    ['other rate', { kind: 'synthetic-speech', features: { sampleRate: 16000 } }, 'features.sampleRate', /8000 Hz/],
    ['above Nyquist', { kind: 'fsdd', path: 'x', features: { highHz: 5000 } }, 'features.highHz', /half the sample/],
    ['empty band', { kind: 'fsdd', path: 'x', features: { lowHz: 3000, highHz: 2000 } }, 'features.lowHz', /below/],
    ['alpha 0', { kind: 'cifar10', path: 'x', partition: { kind: 'dirichlet', alpha: 0 } }, 'partition.alpha', /./],
  ])('refuses: %s', (_, input, key, message) => {
    const issues = dataConfig.safeParse(input).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toContain(key);
    expect(issues.map((issue) => issue.message).join('\n')).toMatch(message);
  });
});
