import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';
import { fixedSizeSampled, gaussian } from '../../privacy/events.ts';
import { fixedSizeSample } from '../../privacy/fixed-size-sampling.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { resolvePrivacy } from '../../privacy/resolve.ts';
import { namedStream } from '../../random/stream.ts';

describe('fixedSizeSample', () => {
  test.each([
    [10, 1],
    [10, 7],
    [10, 10],
  ])('of %p users exactly %p, ascending and distinct', (population, cohort) => {
    const stream = namedStream(0, 'fixed-size', cohort);
    for (let i = 0; i < 50; i++) {
      const members = fixedSizeSample(population, cohort, stream);
      expect(members).toHaveLength(cohort);
      expect(members).toEqual([...new Set(members)].sort((a, b) => a - b));
      expect(members.every((id) => id >= 0 && id < population)).toBe(true);
    }
  });

  test('every subset is equally likely', () => {
    const repeats = 20_000;
    const stream = namedStream(0, 'subsets');
    const counts = new Map<string, number>();
    for (let i = 0; i < repeats; i++) {
      const key = fixedSizeSample(6, 3, stream).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const expected = repeats / 20;
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(counts.size).toBe(20);
    // 19 degrees of freedom: above 55.2 once in 25 000 times.
    expect(chiSquare).toBeLessThan(55);
  });

  test.each([0, 2.5, 11])('a cohort of %p out of 10 is refused', (cohort) => {
    expect(() => fixedSizeSample(10, cohort, namedStream(0, 'x'))).toThrow('federation.expectedCohort');
  });
});

test('cohorts of fixed size are accounted as such, for replacing one user, and never by PLD', () => {
  const config = privacyConfig.parse({ clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 2 }, delta: 1e-9 });
  const settings = resolvePrivacy(config, { expectedCohort: 50, population: 1000, sampling: 'fixedSize' });
  expect(settings.roundEvent).toEqual(fixedSizeSampled(50, 1000, gaussian(2)));
  expect(settings.adjacency).toBe('replace-one-user');
  expect(new PldAccountant().supports(settings.roundEvent, settings.adjacency).supported).toBe(false);
  expect(() => resolvePrivacy(config, { expectedCohort: 5.5, population: 10, sampling: 'fixedSize' })).toThrow('whole');
});
