import { describe, expect, test } from '@jest/globals';
import { gaussianEpsilon } from '../../../privacy/analytic-gaussian.ts';
import { oneShotEstimate } from '../../../privacy/audit/one-shot.ts';
import { standardNormal } from '../../../random/normal.ts';
import { namedStream } from '../../../random/stream.ts';

function simulated(run: number, canaries: number, mu: number): { scores: number[]; included: boolean[] } {
  const random = namedStream(3, 'one-shot', run);
  const included = Array.from({ length: canaries }, () => random.int32() < 0);
  return { included, scores: included.map((coin) => 5 + 0.1 * (Number(coin) * mu + standardNormal(random))) };
}

describe('one-shot estimate', () => {
  test('finds μ of Gaussian scores within its statistical error, and ε of it by the analytic Gaussian', () => {
    const { scores, included } = simulated(0, 40_000, 1.5);
    const estimate = oneShotEstimate(scores, included, 1e-5, 0.95);
    // Standard error 0.0113: four of them.
    expect(Math.abs((estimate?.mu ?? 0) - 1.5)).toBeLessThan(0.046);
    expect(estimate?.epsilon).toBe(gaussianEpsilon(estimate?.mu ?? 0, 1e-5).upper);
  });

  test('its lower limit has the coverage it names', () => {
    const truth = gaussianEpsilon(1, 1e-5).upper;
    const above = Array.from({ length: 400 }, (_, run) => {
      const { scores, included } = simulated(run, 200, 1);
      return (oneShotEstimate(scores, included, 1e-5, 0.9)?.epsilonLower ?? Number.NaN) > truth;
    }).filter(Boolean).length;
    // 40 of 400 expected, standard deviation 6.
    expect(above).toBeGreaterThan(16);
    expect(above).toBeLessThan(64);
  });

  test('nothing is estimated from a single canary, and no ε below zero', () => {
    expect(oneShotEstimate([1, 2], [true, false], 1e-5, 0.95)).toBeNull();
    const { scores, included } = simulated(0, 100, -3);
    expect(oneShotEstimate(scores, included, 1e-5, 0.95)).toMatchObject({ epsilon: 0, epsilonLower: 0 });
  });
});
