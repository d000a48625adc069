import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { privacyConfig } from '../../privacy/config.ts';
import { gaussian, poissonSampled } from '../../privacy/events.ts';
import { resolvePrivacy } from '../../privacy/resolve.ts';

const minimal = { clipping: { mode: 'dim', bound: 0.1 }, noise: { multiplier: 0.5 } };

describe('resolvePrivacy', () => {
  const scale = { expectedCohort: 800, population: 1_000_000 };

  test('states the noise in every unit, and the event that each round appends', () => {
    expect(resolvePrivacy(privacyConfig.parse(minimal), scale)).toEqual({
      clipping: { mode: 'dim', bound: 0.1 },
      mechanism: 'gaussian',
      noiseSource: 'seeded',
      noisePlacement: 'central',
      adjacency: 'add-or-remove-one-user',
      population: 1_000_000,
      expectedCohort: 800,
      sampling: 'poisson',
      sampledCohort: 800,
      samplingRate: 0.0008,
      noiseMultiplier: 0.5,
      sigmaDp: 0.5 / 800,
      sigmaClient: 0.5 / Math.sqrt(800),
      standardDeviation: 0.05,
      adaptive: undefined,
      bands: 1,
      canaries: 0,
      correlated: null,
      noiseGroups: undefined,
      delta: 1e-9,
      roundEvent: poissonSampled(0.0008, gaussian(0.5)),
      warnings: [],
    });
  });

  test('σ_DP is scaled by the expected cohort', () => {
    const config = privacyConfig.parse({ ...minimal, noise: { sigmaDp: 3e-6 } });
    const resolved = resolvePrivacy(config, { expectedCohort: 204_800, population: 69_506_000 });
    expect(resolved.noiseMultiplier).toBeCloseTo(0.6144, 12);
  });

  test('a cohort above the population is refused', () => {
    const config = privacyConfig.parse(minimal);
    expect(() => resolvePrivacy(config, { expectedCohort: 11, population: 10 })).toThrow(PrivacyError);
  });

  test('warns when delta exceeds 1 / population, and not when it equals it', () => {
    const warnings = (delta: number) => resolvePrivacy(privacyConfig.parse({ ...minimal, delta }), scale).warnings;
    expect(warnings(1e-6)).toEqual([]);
    expect(warnings(2e-6)).toEqual([expect.stringContaining('privacy.delta 0.000002 exceeds 1 / population')]);
  });

  test('without a mechanism there is no noise in any unit, and rounds are recorded as not private', () => {
    const config = privacyConfig.parse({ clipping: { mode: 'none' }, mechanism: 'none' });
    expect(resolvePrivacy(config, scale)).toMatchObject({
      noiseMultiplier: null,
      sigmaDp: null,
      sigmaClient: null,
      standardDeviation: null,
      roundEvent: { kind: 'nonPrivate' },
    });
  });
});
