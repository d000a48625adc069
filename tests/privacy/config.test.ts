import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';

const minimal = { clipping: { mode: 'dim', bound: 0.1 }, noise: { multiplier: 0.5 } };

describe('privacyConfig', () => {
  test('fills the defaults', () => {
    expect(privacyConfig.parse(minimal)).toEqual({
      clipping: { mode: 'dim', bound: 0.1 },
      mechanism: 'gaussian',
      noise: { multiplier: 0.5 },
      noisePlacement: 'central',
      noiseSource: 'seeded',
      delta: 1e-9,
      extrapolate: [],
    });
    expect(privacyConfig.parse({ clipping: { mode: 'none' }, mechanism: 'none' })).toMatchObject({
      clipping: { mode: 'none', bound: 1024 },
      mechanism: 'none',
    });
  });

  test('reads its own output: a resolved configuration resolves to itself', () => {
    const once = privacyConfig.parse({ ...minimal, extrapolate: [{ population: 10_000_000, expectedCohort: 20_000 }] });
    expect(privacyConfig.parse(once)).toEqual(once);
  });

  test.each<[string, object, string]>([
    ['two conventions', { ...minimal, noise: { multiplier: 1, sigmaDp: 1 } }, 'noise'],
    ['no convention', { ...minimal, noise: {} }, 'noise'],
    ['no noise with gaussian', { clipping: minimal.clipping }, 'noise'],
    ['zero noise', { ...minimal, noise: { multiplier: 0 } }, 'noise.multiplier'],
    ['noise with mechanism none', { ...minimal, mechanism: 'none' }, 'noise'],
    ['no clipping with gaussian', { ...minimal, clipping: { mode: 'none' } }, 'clipping.mode'],
    ['no bound', { ...minimal, clipping: { mode: 'dim' } }, 'clipping.bound'],
    ['negative bound', { ...minimal, clipping: { mode: 'dim', bound: -1 } }, 'clipping.bound'],
    ['delta 0', { ...minimal, delta: 0 }, 'delta'],
    ['delta 1', { ...minimal, delta: 1 }, 'delta'],
    ['unknown mechanism', { ...minimal, mechanism: 'uniform' }, 'mechanism'],
    ['Laplace noise on an L2 bound', { ...minimal, mechanism: 'laplace' }, 'clipping.mode'],
    ['an L1 bound under Gaussian noise', { ...minimal, clipping: { mode: 'l1', bound: 1 } }, 'clipping.mode'],
    [
      'Laplace noise as a standard deviation',
      { clipping: { mode: 'l1', bound: 1 }, mechanism: 'laplace', noise: { sigmaDp: 1 } },
      'noise',
    ],
    [
      'groups of layers without Gaussian noise',
      { ...minimal, mechanism: 'discreteGaussian', noiseGroups: [{ layers: ['*'], factor: 1 }] },
      'noiseGroups',
    ],
    ['privacy settings silently ignored: an unknown key', { ...minimal, noiseMultiplier: 1 }, ''],
    ['privacy settings silently ignored: an unknown nested key', { ...minimal, noise: { z: 1 } }, 'noise'],
    [
      'privacy settings silently ignored: extrapolation without noise',
      {
        clipping: minimal.clipping,
        mechanism: 'none',
        extrapolate: [{ population: 2, expectedCohort: 1 }],
      },
      'extrapolate',
    ],
    [
      'extrapolated cohort above its population',
      { ...minimal, extrapolate: [{ population: 1, expectedCohort: 2 }] },
      'extrapolate.0.expectedCohort',
    ],
  ])('%s is an error at its key', (_, config, path) => {
    const result = privacyConfig.safeParse(config);
    expect(result.success).toBe(false);
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toContain(path);
  });
});
