import { describe, expect, test } from '@jest/globals';
import { resolvePrivacy } from '../../privacy/resolve.ts';
import { plannedNoise, roundNoise, sameNoise } from '../../report/round-noise.ts';
import { privacyRecord, settings } from './privacy-record.ts';

describe('plannedNoise', () => {
  test.each<[string, object, object, number]>([
    ['central', {}, {}, 0.01],
    ['local', { noisePlacement: 'local', noise: { sigmaClient: 1 } }, {}, 1],
    ['cyclic', { mechanism: 'treeAggregation' }, { sampling: 'cyclic' }, 1],
  ])('%s: is what the event of a round says', (_, changes, scale, rate) => {
    const resolved = resolvePrivacy(settings(changes), { ...privacyRecord(), ...scale });
    const planned = plannedNoise(resolved);
    expect(planned).toEqual({ multiplier: 1, rate });
    if (resolved.noisePlacement === 'local') return;
    const noise = roundNoise(resolved.roundEvent);
    expect(noise && sameNoise(noise, planned)).toBe(true);
  });
});
