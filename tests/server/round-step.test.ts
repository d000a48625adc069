import { describe, expect, test } from '@jest/globals';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { IndependentNoise, noNoise, seededNoise } from '../../privacy/noise.ts';
import type { RoundTotals } from '../../server/aggregation.ts';
import { optimizerConfig } from '../../server/config.ts';
import { CentralOptimizer } from '../../server/optimizers/central-optimizer.ts';
import { centralStep } from '../../server/round-step.ts';

const layout = new ParameterLayout([
  { name: 'w', shape: [40, 100] },
  { name: 'b', shape: [4] },
]);
const grid = new ExactGrid(2 ** -20);
const sgd = optimizerConfig.parse({ kind: 'sgd', learningRate: 1 });

/** Totals whose every coordinate sums to `value`; `contributed` clients sent them. */
function totals(value: number, contributed = 10): RoundTotals {
  return {
    sum: new Float64Array(layout.size).fill(value * grid.perUnit),
    contributed,
    rejectedNonFinite: 0,
    lossSum: 1,
    examples: contributed,
    infeasibleTargets: 0,
    deltaNormSums: Float64Array.of(30, 5),
    clippedCounts: Float64Array.of(10, 1),
    seconds: { total: 1, data: 0, training: 1, clipping: 0 },
  };
}

function step(sums: RoundTotals, standardDeviation: number | null, expectedCohort = 8, round = 1) {
  const parameters = layout.allocate();
  const mechanism =
    standardDeviation === null
      ? noNoise
      : new IndependentNoise('gaussian', layout, grid, [standardDeviation, standardDeviation], seededNoise(5));
  const release = { grid, mechanism, expectedCohort };
  const optimizer = new CentralOptimizer(sgd, layout);
  const result = centralStep(round, sums, release, optimizer, layout, parameters, layout.allocate());
  return { parameters, result };
}

describe('centralStep', () => {
  test('divides by the expected cohort whatever number of clients contributed', () => {
    for (const contributed of [1, 8, 50]) {
      expect(new Set(step(totals(2, contributed), null).parameters)).toEqual(new Set([-0.25]));
    }
    expect(new Set(step(totals(2), null, 16).parameters)).toEqual(new Set([-0.125]));
  });

  test('the noise on the average has standard deviation std / S and mean zero', () => {
    const { parameters, result } = step(totals(0, 0), 3);
    const size = layout.size;
    const mean = parameters.reduce((sum, value) => sum + value, 0) / size;
    const variance = parameters.reduce((sum, value) => sum + value * value, 0) / size;
    // Five standard errors of the mean and of the variance of n normals.
    expect(Math.abs(mean)).toBeLessThan((5 * 0.375) / Math.sqrt(size));
    expect(Math.abs(variance / 0.375 ** 2 - 1)).toBeLessThan(5 * Math.sqrt(2 / size));
    expect(result.updateNorm).toBeCloseTo(Math.sqrt(variance * size), 4);
  });

  test('noise is added once, to the sum, and differs from round to round', () => {
    const first = step(totals(0), 3, 8, 1).parameters;
    expect(step(totals(0), 3, 8, 1).parameters).toEqual(first);
    expect(step(totals(0), 3, 8, 2).parameters).not.toEqual(first);
    const shifted = step(totals(8), 3, 8, 1).parameters;
    shifted.forEach((value, i) => {
      expect(Math.abs(value - (first[i] - 1))).toBeLessThan(1e-6);
    });
  });

  test('signal-to-noise is the noiseless norm over std·√d, layer by layer', () => {
    // Average 0.25 on every coordinate, noise 3/8: the ratio is 2/3 for either layer, whatever its size.
    const { signalToNoise } = step(totals(2), 3).result.layers;
    expect(signalToNoise).toEqual([expect.closeTo(2 / 3, 6), expect.closeTo(2 / 3, 6)]);
    expect(step(totals(2), null).result.layers.signalToNoise).toEqual([null, null]);
  });

  test('layer statistics are means over contributing clients, and 0 without any', () => {
    expect(step(totals(2), 3).result.layers).toMatchObject({
      names: ['w', 'b'],
      deltaNorms: [3, 0.5],
      clippedFraction: [1, 0.1],
    });
    const empty = { ...totals(0, 0), deltaNormSums: new Float64Array(2), clippedCounts: new Float64Array(2) };
    expect(step(empty, 3).result.layers).toMatchObject({ deltaNorms: [0, 0], clippedFraction: [0, 0] });
  });

  test('parameters that overflow are an error', () => {
    expect(() => step(totals(1e300), null)).toThrow('round 1: the parameters are no longer finite');
  });
});
