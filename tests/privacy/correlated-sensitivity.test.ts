import { describe, expect, test } from '@jest/globals';
import { correlatedSensitivity } from '../../privacy/correlated-sensitivity.ts';
import { matrixMechanism, treeAggregation } from '../../privacy/events.ts';
import { present, records } from './reference-values.ts';

/** Coefficients of the square root of the prefix sum: binomial(2k, k) / 4^k. */
function squareRootCoefficients(steps: number): number[] {
  const coefficients = [1];
  for (let k = 1; k < steps; k++) coefficients.push((coefficients[k - 1] * (2 * k - 1)) / (2 * k));
  return coefficients;
}

/** Every way to take part at most `most` times, at least `separation` apart. */
function* patterns(steps: number, most: number, separation: number, from = 0): Generator<number[]> {
  yield [];
  if (most === 0) return;
  for (let t = from; t < steps; t++) {
    for (const rest of patterns(steps, most - 1, separation, t + separation)) yield [t, ...rest];
  }
}

const rowsOfToeplitz = (coefficients: readonly number[], steps: number) =>
  Array.from({ length: steps }, (_, i) => Array.from({ length: steps }, (_, j) => coefficients[i - j] ?? 0));

function rowsOfTree(steps: number): number[][] {
  const rows: number[][] = [];
  for (let width = 1; width <= steps; width *= 2) {
    for (let first = 0; first + width <= steps; first += width) {
      rows.push(Array.from({ length: steps }, (_, j) => (j >= first && j < first + width ? 1 : 0)));
    }
  }
  return rows;
}

/** max ‖S·u‖ over patterns u, by trying all; for entries ≥ 0 equal contributions are the worst. */
function bruteForce(rows: readonly number[][], steps: number, most: number, separation: number): number {
  let worst = 0;
  for (const pattern of patterns(steps, most, separation)) {
    const squared = rows.reduce((sum, row) => sum + pattern.reduce((total, j) => total + row[j], 0) ** 2, 0);
    worst = Math.max(worst, Math.sqrt(squared));
  }
  return worst;
}

describe('sensitivity of correlated mechanisms', () => {
  const steps = 10;
  test.each([
    [1, 1],
    [2, 4],
    [3, 3],
    [4, 2],
    [10, 1],
  ])('%p participations, %p apart: as by trying all patterns', (maxParticipations, minSeparation) => {
    const common = { noiseMultiplier: 1, steps, maxParticipations, minSeparation };
    for (const coefficients of [squareRootCoefficients(steps), [1, 0.5], [1, 0.8, 0.3]]) {
      const mechanism = matrixMechanism({ ...common, strategy: { kind: 'toeplitz', coefficients } });
      const exact = bruteForce(rowsOfToeplitz(coefficients, steps), steps, maxParticipations, minSeparation);
      expect(correlatedSensitivity(mechanism, steps)).toBeCloseTo(exact, 10);
    }
    const tree = correlatedSensitivity(treeAggregation(common), steps);
    const exactTree = bruteForce(rowsOfTree(steps), steps, maxParticipations, minSeparation);
    expect(tree).toBeGreaterThanOrEqual(exactTree - 1e-12);
    expect(tree).toBeLessThan(1.2 * exactTree);
  });

  test('a strategy that is not decreasing is bounded, not trusted', () => {
    const coefficients = [1, -0.9, 0.8, 0.7];
    const mechanism = matrixMechanism({
      noiseMultiplier: 1,
      steps,
      maxParticipations: 3,
      minSeparation: 2,
      strategy: { kind: 'toeplitz', coefficients },
    });
    const exact = bruteForce(rowsOfToeplitz(coefficients.map(Math.abs), steps), steps, 3, 2);
    expect(correlatedSensitivity(mechanism, steps)).toBeGreaterThanOrEqual(exact);
  });

  test('bands wider than the separation overlap, and cost more than orthogonal columns', () => {
    const at = (bands: number) =>
      correlatedSensitivity(
        matrixMechanism({
          noiseMultiplier: 1,
          steps: 100,
          maxParticipations: 4,
          minSeparation: 8,
          strategy: { kind: 'banded', bands, columnNorm: 1.5 },
        }),
        100,
      );
    expect(at(8)).toBeCloseTo(3, 12);
    expect(at(9)).toBeCloseTo(6, 12);
  });

  test('fewer steps, fewer participations', () => {
    const tree = treeAggregation({ noiseMultiplier: 1, steps: 64, maxParticipations: 8, minSeparation: 8 });
    expect(correlatedSensitivity(tree, 8)).toBe(Math.sqrt(4));
    expect(correlatedSensitivity(tree, 64)).toBeGreaterThan(correlatedSensitivity(tree, 32));
  });

  (present ? test : test.skip)('of the square-root strategy, as brute force and other libraries have it', () => {
    const cases = records.filter(({ mechanism }) => mechanism === 'toeplitz_sqrt_prefix_sum_sensitivity');
    expect(cases.length).toBeGreaterThan(3);
    for (const { params, value } of cases) {
      const mechanism = matrixMechanism({
        noiseMultiplier: 1,
        steps: params.n,
        maxParticipations: params.participations,
        minSeparation: params.min_separation,
        strategy: { kind: 'toeplitz', coefficients: squareRootCoefficients(params.n) },
      });
      expect(correlatedSensitivity(mechanism, params.n)).toBeCloseTo(value, 9);
    }
  });
});
