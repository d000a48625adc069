import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { cryptographicNoise, IndependentNoise, type NoiseStreams, noNoise, seededNoise } from '../../privacy/noise.ts';

const layout = new ParameterLayout([
  { name: 'large', shape: [200, 100] },
  { name: 'small', shape: [4000] },
]);
const z = 0.7;
const C = 0.25;
const grid = ExactGrid.forSum(C, 1100);

function gaussian(std: number, streams: NoiseStreams): IndependentNoise {
  return new IndependentNoise('gaussian', layout, grid, [std, std], streams);
}

function released(seed: number | string, round: number): Float64Array {
  const sum = new Float64Array(layout.size);
  gaussian(z * C, seededNoise(seed)).addTo(sum, round);
  return sum;
}

const standardDeviation = (values: Float64Array): number => {
  const mean = values.reduce((total, x) => total + x, 0) / values.length;
  return Math.sqrt(values.reduce((total, x) => total + (x - mean) ** 2, 0) / (values.length - 1)) * grid.step;
};

function correlation(a: Float64Array, b: Float64Array): number {
  const product = (x: Float64Array, y: Float64Array) => x.reduce((total, value, i) => total + value * y[i], 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

describe('Gaussian mechanism on the grid', () => {
  test('variance where std is expected: the empirical std of each layer is z·C', () => {
    for (const { offset, size } of layout.layers) {
      const layer = released(11, 1).subarray(offset, offset + size);
      // The std of a sample std is σ/sqrt(2n); four of them.
      expect(Math.abs(standardDeviation(layer) / (z * C) - 1)).toBeLessThan(4 / Math.sqrt(2 * size));
    }
  });

  test('the std of one coordinate across rounds is z·C as well', () => {
    const rounds = 4000;
    const tiny = new ParameterLayout([{ name: 'w', shape: [2] }]);
    const mechanism = new IndependentNoise('gaussian', tiny, grid, [z * C], seededNoise(3));
    const values = Float64Array.from({ length: rounds }, (_, t) => {
      const sum = new Float64Array(2);
      mechanism.addTo(sum, t + 1);
      return sum[1];
    });
    expect(Math.abs(standardDeviation(values) / (z * C) - 1)).toBeLessThan(4 / Math.sqrt(2 * rounds));
    const previous = values.subarray(0, -1);
    expect(Math.abs(correlation(previous, values.subarray(1)))).toBeLessThan(4 / Math.sqrt(rounds));
  });

  test('releases only grid integers, and adds to the sum that is there', () => {
    const noise = released(5, 2);
    expect(noise.every(Number.isSafeInteger)).toBe(true);
    const sum = new Float64Array(layout.size).fill(12345);
    gaussian(z * C, seededNoise(5)).addTo(sum, 2);
    expect(sum).toEqual(noise.map((value) => value + 12345));
  });

  test('uses the low bits of the grid: released integers are odd as often as even', () => {
    const odd = released(6, 1).filter((value) => value % 2 !== 0).length;
    expect(Math.abs(odd / layout.size - 0.5)).toBeLessThan(4 / (2 * Math.sqrt(layout.size)));
  });

  test('refuses a std of zero, negative or not finite, and a sum of another length', () => {
    for (const std of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => gaussian(std, seededNoise(1))).toThrow('privacy.mechanism: none');
    }
    const mechanism = gaussian(1, seededNoise(1));
    expect(() => mechanism.addTo(new Float64Array(3), 1)).toThrow(PrivacyError);
  });

  test('no noise leaves the sum as it is', () => {
    const sum = Float64Array.of(1, 2, 3);
    noNoise.addTo(sum, 1);
    expect([...sum]).toEqual([1, 2, 3]);
  });
});

describe('exact distributions', () => {
  test.each([
    ['discreteGaussian', 1, 3],
    ['laplace', Math.SQRT2, 6],
  ] as const)('%s: std and kurtosis are those of the scale', (kind, deviation, kurtosis) => {
    const sum = new Float64Array(layout.size);
    const coarse = ExactGrid.forNoisySum(C, 1100, z * C);
    const noise = new IndependentNoise(kind, layout, coarse, [z * C, z * C], seededNoise(4));
    noise.addTo(sum, 1);
    expect(sum.every(Number.isSafeInteger)).toBe(true);
    const std = (standardDeviation(sum) / grid.step) * coarse.step;
    // Var(s²)/σ⁴ = (κ − 1)/n: half of it for the std.
    expect(Math.abs(std / (deviation * z * C) - 1)).toBeLessThan(4 * Math.sqrt((kurtosis - 1) / (4 * layout.size)));
    expect(noise.standardDeviation(1, 0)).toBeCloseTo(deviation * z * C, 12);
    const fourth = sum.reduce((total, x) => total + (x * coarse.step) ** 4, 0) / layout.size / std ** 4;
    // n·Var of the sample kurtosis by the delta method, μ₈ − κ² − 4κ(μ₆ − κ) + 4κ²(κ − 1) in units of σ: 24 for normals, 1188 for Laplace.
    expect(Math.abs(fourth - kurtosis)).toBeLessThan(4 * Math.sqrt((kind === 'laplace' ? 1188 : 24) / layout.size));
  });
});

describe('mistakes of others', () => {
  test('noise seed re-used each round: rounds and layers get independent noise', () => {
    const first = released(1, 1);
    const second = released(1, 2);
    expect(Math.abs(correlation(first, second))).toBeLessThan(4 / Math.sqrt(layout.size));
    const [large, small] = layout.layers;
    const a = first.subarray(large.offset, large.offset + small.size);
    const b = first.subarray(small.offset, small.offset + small.size);
    expect(Math.abs(correlation(a, b))).toBeLessThan(4 / Math.sqrt(small.size));
  });

  test('seed 0 treated as no seed: it is reproducible and differs from other seeds', () => {
    expect(released(0, 1)).toEqual(released(0, 1));
    expect(Math.abs(correlation(released(0, 1), released(1, 1)))).toBeLessThan(4 / Math.sqrt(layout.size));
  });

  test('an empty Poisson cohort skips noise: its zero sum is released with the full noise', () => {
    const empty = new Float64Array(layout.size);
    gaussian(z * C, seededNoise(8)).addTo(empty, 1);
    expect(Math.abs(standardDeviation(empty) / (z * C) - 1)).toBeLessThan(4 / Math.sqrt(2 * layout.size));
  });

  test('cryptographic noise has the same std and never repeats, not even for the same round', () => {
    const mechanism = gaussian(z * C, cryptographicNoise());
    const first = new Float64Array(layout.size);
    const second = new Float64Array(layout.size);
    mechanism.addTo(first, 1);
    mechanism.addTo(second, 1);
    // Not seeded, hence the wide limit of seven standard errors.
    expect(Math.abs(standardDeviation(first) / (z * C) - 1)).toBeLessThan(7 / Math.sqrt(2 * layout.size));
    expect(Math.abs(correlation(first, second))).toBeLessThan(7 / Math.sqrt(layout.size));
  });
});
