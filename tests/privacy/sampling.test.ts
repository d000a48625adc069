import { describe, expect, test } from '@jest/globals';
import { poissonCohortLimit, samplingRate } from '../../privacy/sampling.ts';

describe('Poisson sampling', () => {
  test('q = S / K, up to everybody', () => {
    expect(samplingRate(1024, 34_753)).toBe(1024 / 34_753);
    expect(samplingRate(5, 5)).toBe(1);
    expect(() => samplingRate(6, 5)).toThrow('sampling rate q > 1');
    expect(() => samplingRate(0, 5)).toThrow('federation.expectedCohort');
    expect(() => samplingRate(1, 0)).toThrow('population');
    expect(() => samplingRate(1, 2.5)).toThrow('population');
  });

  test('the cohort limit is beyond reach: Chernoff’s bound stays below e^-190 for every cohort', () => {
    for (let S = 0.5; S < 1e9; S *= 1.7) {
      const t = poissonCohortLimit(S, 2 ** 50) - S;
      expect((t * t) / (2 * (S + t / 3))).toBeGreaterThan(190);
    }
    expect(poissonCohortLimit(40, 60)).toBe(60);
  });
});
