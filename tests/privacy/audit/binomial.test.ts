import { expect, test } from '@jest/globals';
import { binomialProbabilities } from '../../../privacy/audit/binomial.ts';

test('probabilities of small binomials are the exact fractions', () => {
  expect([...binomialProbabilities(4, 0.5)]).toEqual([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]);
  const third = binomialProbabilities(3, 1 / 3);
  for (const [k, numerator] of [8, 12, 6, 1].entries()) expect(third[k]).toBeCloseTo(numerator / 27, 14);
  expect([...binomialProbabilities(2, 1)]).toEqual([0, 0, 1]);
});

test('large ones have the mean and the variance they must have', () => {
  const [n, p] = [200_000, 0.97];
  const probabilities = binomialProbabilities(n, p);
  const mean = probabilities.reduce((sum, value, k) => sum + k * value, 0);
  const variance = probabilities.reduce((sum, value, k) => sum + (k - mean) ** 2 * value, 0);
  expect(mean / (n * p)).toBeCloseTo(1, 9);
  expect(variance / (n * p * (1 - p))).toBeCloseTo(1, 6);
});
