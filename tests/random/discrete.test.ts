import { describe, expect, test } from '@jest/globals';
import { type DiscreteSampler, discreteGaussian, discreteLaplace } from '../../random/discrete.ts';
import { secureStream } from '../../random/secure.ts';
import { namedStream, type RandomStream } from '../../random/stream.ts';
import { chiSquare, gaussianOracle, laplaceOracle } from '../support/discrete-oracle.ts';

/** How often each of −reach … reach was drawn; what lies beyond counts at the ends. */
function histogram(draw: () => number, draws: number, reach: number): number[] {
  const counts = Array<number>(2 * reach + 1).fill(0);
  for (let i = 0; i < draws; i++) counts[Math.min(Math.max(draw(), -reach), reach) + reach]++;
  return counts;
}

/** Probabilities of −reach … reach by direct summation, the tails at the ends. */
function probabilities(density: (x: number) => number, reach: number, end: number): number[] {
  const all = Array.from({ length: 2 * end + 1 }, (_, i) => density(i - end));
  const total = all.reduce((sum, value) => sum + value, 0);
  const result = Array<number>(2 * reach + 1).fill(0);
  for (const [i, value] of all.entries()) result[Math.min(Math.max(i - end, -reach), reach) + reach] += value / total;
  return result;
}

/** Chi-square is about normal with mean f and variance 2f; five standard deviations. */
function requireFit(counts: readonly number[], expected: readonly number[]): void {
  const { value, freedom } = chiSquare(counts, expected);
  expect(freedom).toBeGreaterThan(3);
  expect(value).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom));
}

const gaussianDensity = (sigma: number) => (x: number) => Math.exp((-x * x) / (2 * sigma * sigma));
const laplaceDensity = (scale: number) => (x: number) => Math.exp(-Math.abs(x) / scale);

describe('chi-square against the probabilities', () => {
  const draws = 200_000;

  test.each([0.6, 1, 2.7, 19.25, 150])('discrete Gaussian, sigma %d', (sigma) => {
    const stream = namedStream(1, 'chi-square', sigma);
    const sample = discreteGaussian(sigma);
    const reach = Math.ceil(4 * sigma);
    const expected = probabilities(gaussianDensity(sigma), reach, Math.ceil(40 * sigma));
    requireFit(
      histogram(() => sample(stream), draws, reach),
      expected.map((p) => p * draws),
    );
  });

  test.each([0.7, 1, 3.3, 40, 150])('discrete Laplace, scale %d', (scale) => {
    const stream = namedStream(2, 'chi-square', scale);
    const sample = discreteLaplace(scale);
    const reach = Math.ceil(8 * scale);
    const expected = probabilities(laplaceDensity(scale), reach, Math.ceil(60 * scale));
    requireFit(
      histogram(() => sample(stream), draws, reach),
      expected.map((p) => p * draws),
    );
  });

  test('at the scale of privacy noise: cells of σ/8, and every residue modulo 31', () => {
    const sigma = 1.37e9;
    const sample = discreteGaussian(sigma);
    const stream = namedStream(3, 'chi-square');
    const values = Float64Array.from({ length: draws }, () => sample(stream));
    // A cell of the continuous Gaussian; the discrete one differs by less than 1e-9 there.
    const width = sigma / 8;
    const cells = probabilities((i) => cellOfNormal(i / 8, 1 / 8), 32, 80);
    let next = 0;
    requireFit(
      histogram(() => Math.round(values[next++] / width), draws, 32),
      cells.map((p) => p * draws),
    );
    const residues = Array<number>(31).fill(0);
    for (const value of values) residues[((value % 31) + 31) % 31]++;
    requireFit(residues, Array<number>(31).fill(draws / 31));
  });

  test('the cryptographic stream gives the same distribution', () => {
    const stream = secureStream();
    const sample = discreteGaussian(2);
    const { value, freedom } = chiSquare(
      histogram(() => sample(stream), draws, 8),
      probabilities(gaussianDensity(2), 8, 80).map((p) => p * draws),
    );
    // Not seeded: nine standard deviations.
    expect(value).toBeLessThan(freedom + 9 * Math.sqrt(2 * freedom));
  });
});

/** Mass of N(0, 1) on [x − width/2, x + width/2] by Simpson's rule, not normalised. */
function cellOfNormal(x: number, width: number): number {
  const f = (y: number) => Math.exp((-y * y) / 2);
  return f(x - width / 2) + 4 * f(x) + f(x + width / 2);
}

describe('the published samplers, in BigInt', () => {
  /** Two-sample chi-square of equally many draws. */
  function requireSame(a: readonly number[], b: readonly number[]): void {
    let value = 0;
    let freedom = -1;
    for (const [i, count] of a.entries()) {
      if (count + b[i] < 20) continue;
      value += (count - b[i]) ** 2 / (count + b[i]);
      freedom++;
    }
    expect(freedom).toBeGreaterThan(3);
    expect(value).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom));
  }

  test('discrete Gaussian with sigma² = 12.25', () => {
    const oracle = namedStream(1, 'oracle');
    const stream = namedStream(1, 'sampler');
    const sample = discreteGaussian(3.5);
    requireSame(
      histogram(() => sample(stream), 20_000, 12),
      histogram(() => Number(gaussianOracle(49n, 4n, oracle)), 20_000, 12),
    );
  });

  test('discrete Laplace with scale 2.5', () => {
    const oracle = namedStream(2, 'oracle');
    const stream = namedStream(2, 'sampler');
    const sample = discreteLaplace(2.5);
    requireSame(
      histogram(() => sample(stream), 20_000, 15),
      histogram(() => Number(laplaceOracle(5n, 2n, oracle)), 20_000, 15),
    );
  });
});

describe('exact decisions', () => {
  /** Words in a given order, then zeros, which every sampler accepts as x = 0. */
  function script(words: readonly number[]): { readonly stream: RandomStream; readonly read: () => number } {
    let next = 0;
    const int32 = () => words[next++] ?? 0;
    return { stream: { int32, uniform: int32, integer: int32 }, read: () => next };
  }

  /** One column of the table, x somewhere in its cell: a draw that hangs on U. */
  const start = [64 | (0x777 << 12), 0];
  const draw = (sample: DiscreteSampler, rest: readonly number[]) => {
    const { stream, read } = script([...start, ...rest]);
    return { value: sample(stream), read: read() };
  };

  test.each([
    ['Gaussian', discreteGaussian(1.5e9)],
    ['Laplace', discreteLaplace(1.5e9)],
  ])('%s: where 32 bits of U leave it open, the next bits decide', (_, sample) => {
    // The largest U that accepts at once; three words are read then.
    let low = 0;
    let high = 2 ** 32 - 1;
    expect(draw(sample, [low]).value).not.toBe(0);
    expect(draw(sample, [high | 0]).value).toBe(0);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const { value, read } = draw(sample, [middle | 0]);
      if (value !== 0 && read === 3) low = middle;
      else high = middle;
    }
    // With the next word of U small it accepts still, with it large it does not; both times after reading it.
    expect(draw(sample, [high | 0, 0])).toMatchObject({ read: 4, value: draw(sample, [0]).value });
    expect(draw(sample, [high | 0, -1])).toMatchObject({ read: 7, value: 0 });
    expect(draw(sample, [(high + 1) | 0]).value).toBe(0);
  });

  test('refuses scales that are not positive, not finite or too large', () => {
    for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 35]) {
      expect(() => discreteGaussian(scale)).toThrow('discrete noise');
      expect(() => discreteLaplace(scale)).toThrow('discrete noise');
    }
  });
});
