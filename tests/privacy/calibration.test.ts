import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { calibrateNoiseMultiplier } from '../../privacy/calibration.ts';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';

const accountant = new RdpAccountant();
const epsilon = (z: number, q: number, T: number, delta: number) =>
  accountant.epsilon(selfComposed(poissonSampled(q, gaussian(z)), T), delta).epsilon;

describe('calibrateNoiseMultiplier', () => {
  test.each([
    [7.226, 1e-9, 204_800 / 69_506_000, 2034],
    [0.8, 1e-6, 0.01, 1000],
    [2, 1e-5, 1, 10],
    [500, 1e-6, 0.05, 200],
  ])('ε %p, δ %p, q %p, T %p: satisfies the target, and a little less noise does not', (target, delta, q, T) => {
    const found = calibrateNoiseMultiplier({ epsilon: target, delta, samplingRate: q, rounds: T }, accountant);
    expect(epsilon(found.noiseMultiplier, q, T, delta)).toBe(found.achieved.epsilon);
    expect(found.achieved.epsilon).toBeLessThanOrEqual(target);
    expect(epsilon(found.noiseMultiplier * (1 - 2e-4), q, T, delta)).toBeGreaterThan(target);
  });

  test('finds the paper’s noise from its epsilon', () => {
    const target = { epsilon: 7.2264, delta: 1e-9, samplingRate: 204_800 / 69_506_000, rounds: 2034 };
    expect(calibrateNoiseMultiplier(target).noiseMultiplier).toBeCloseTo(0.6144, 3);
  });

  test('says so when no noise reaches the target with these orders', () => {
    const target = { epsilon: 0.01, delta: 1e-9, samplingRate: 0.01, rounds: 100 };
    expect(() => calibrateNoiseMultiplier(target)).toThrow('out of reach');
    expect(() => calibrateNoiseMultiplier({ ...target, epsilon: 0 })).toThrow(PrivacyError);
  });
});
