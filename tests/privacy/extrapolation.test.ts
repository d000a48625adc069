import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { extrapolate } from '../../privacy/extrapolation.ts';

const run = { noiseMultiplier: 0.003072, expectedCohort: 1024, population: 34_753, rounds: 2034, delta: 1e-9 };

describe('population extrapolation (arXiv:2310.00098 §4.3)', () => {
  test('the headline: σ_DP 3e-6 simulated with 1024 of 34 753 users, spoken of for 204 800 of 70 million', () => {
    const result = extrapolate(run, { expectedCohort: 204_800, population: 69_506_000 });
    expect(result.kind).toBe('extrapolation');
    expect(result.sigmaDp).toBeCloseTo(3e-6, 18);
    expect(result.noiseMultiplier).toBeCloseTo(0.6144, 12);
    expect(result.samplingRate).toBe(204_800 / 69_506_000);
    // 7.226 with the rate as printed (0.00295).
    expect(result.statement.epsilon).toBeCloseTo(7.2228, 4);
  });

  test('extrapolating to itself is the run’s own epsilon; scaling S and K together lowers it', () => {
    const same = extrapolate(run, { expectedCohort: 1024, population: 34_753 });
    expect(same.noiseMultiplier).toBe(run.noiseMultiplier);
    let last = same.statement.epsilon;
    for (const factor of [10, 100, 1000]) {
      const scaled = extrapolate(run, { expectedCohort: 1024 * factor, population: 34_753 * factor });
      expect(scaled.samplingRate).toBeCloseTo(same.samplingRate, 15);
      expect(scaled.statement.epsilon).toBeLessThan(last);
      last = scaled.statement.epsilon;
    }
  });

  test('a cohort above its population is refused', () => {
    expect(() => extrapolate(run, { expectedCohort: 10, population: 9 })).toThrow(PrivacyError);
  });

  test('a deployment over-selects as the run did: its sampling rate is as much higher', () => {
    const run = { noiseMultiplier: 0.03072, expectedCohort: 1024, population: 34_753, rounds: 100, delta: 1e-9 };
    const target = { population: 6_950_600, expectedCohort: 204_800 };
    const over = extrapolate({ ...run, overSelection: 1.3 }, target);
    expect(over.samplingRate).toBeCloseTo((1.3 * 204_800) / 6_950_600, 12);
    expect(over.noiseMultiplier).toBe(extrapolate(run, target).noiseMultiplier);
    expect(over.statement.epsilon).toBeGreaterThan(extrapolate(run, target).statement.epsilon);
  });
});
