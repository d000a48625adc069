import { describe, expect, test } from '@jest/globals';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { BandedNoise, bandedSquareRoot, inverseCoefficients } from '../../privacy/banded-noise.ts';
import { type NoiseMechanism, type NoiseSource, seededNoise } from '../../privacy/noise.ts';
import { TreeNoise } from '../../privacy/tree-noise.ts';

const layout = new ParameterLayout([
  { name: 'large', shape: [3000] },
  { name: 'small', shape: [1000] },
]);
const STD = 0.3;
const grid = ExactGrid.forNoisySum(1, 100, STD);
const ROUNDS = 16;
const coefficients = bandedSquareRoot(4);

// Named streams under either source: what a cryptographic run keeps can then be compared with what a seeded one draws again.
const tree = (source: NoiseSource = 'seeded') => new TreeNoise(layout, grid, STD, seededNoise(7), source);
const banded = (source: NoiseSource = 'seeded') =>
  new BandedNoise(layout, grid, coefficients, STD, seededNoise(7), source);

/** The noise of rounds 1 … ROUNDS, in units of the parameters. */
function released(noise: NoiseMechanism): Float64Array[] {
  return Array.from({ length: ROUNDS }, (_, t) => {
    const sum = new Float64Array(layout.size);
    noise.addTo(sum, t + 1);
    expect(sum.every(Number.isSafeInteger)).toBe(true);
    return sum.map((x) => x * grid.step);
  });
}

const product = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const deviation = (a: Float64Array) => Math.sqrt(product(a, a) / a.length);
const within = (value: number, expected: number) =>
  expect(Math.abs(value / expected - 1)).toBeLessThan(4.5 / Math.sqrt(2 * layout.size));

describe('tree aggregation', () => {
  test('the noise of the first t rounds together is that of the nodes which make up [1, t]', () => {
    const total = new Float64Array(layout.size);
    for (const [t, noise] of released(tree()).entries()) {
      for (let i = 0; i < total.length; i++) total[i] += noise[i];
      const digits = [...(t + 1).toString(2)].filter((digit) => digit === '1').length;
      within(deviation(total), STD * Math.sqrt(digits));
    }
  });

  test('sums over one node and over its sibling have independent noise', () => {
    const noise = released(tree());
    const sum = (from: number, to: number) => noise.slice(from, to).reduce((all, x) => all.map((y, i) => y + x[i]));
    for (const [a, b] of [
      [sum(0, 4), sum(4, 8)],
      [sum(0, 8), sum(8, 12)],
      [sum(0, 1), sum(1, 2)],
    ]) {
      const nodes = [deviation(a), deviation(b)];
      // [4, 8) is the node [0, 8) less the node [0, 4): correlated with the latter by design.
      const expected = -(STD * STD) / (nodes[0] * nodes[1]);
      const correlation = product(a, b) / (layout.size * nodes[0] * nodes[1]);
      const due = Math.abs(nodes[1] / STD - 1) < 0.1 ? 0 : expected;
      expect(Math.abs(correlation - due)).toBeLessThan(4.5 / Math.sqrt(layout.size));
    }
  });

  test('states the standard deviation of each round', () => {
    const noise = tree();
    for (const [t, values] of released(tree()).entries()) within(deviation(values), noise.standardDeviation(t + 1, 0));
  });
});

describe('banded matrix factorisation', () => {
  test('coefficients are those of (1 − x)^(−1/2), scaled to norm 1', () => {
    const [first, ...rest] = coefficients;
    expect(rest.map((c) => c / first)).toEqual([1 / 2, 3 / 8, 5 / 16].map((c) => expect.closeTo(c, 12)));
    const norm = Math.hypot(...coefficients);
    expect(norm).toBeLessThanOrEqual(1);
    expect(norm).toBeCloseTo(1, 12);
  });

  test('the inverse undoes the matrix', () => {
    const inverse = inverseCoefficients(coefficients, 20);
    for (let t = 0; t < 20; t++) {
      const value = coefficients.reduce((sum, c, j) => sum + (j <= t ? c * inverse[t - j] : 0), 0);
      expect(value).toBeCloseTo(t === 0 ? 1 : 0, 12);
    }
  });

  test('S times the released noise is white: std of Z in every round, rounds independent', () => {
    const noise = released(banded());
    const white = noise.map((_, t) =>
      noise[t].map((__, i) => coefficients.reduce((sum, c, j) => sum + (j <= t ? c * noise[t - j][i] : 0), 0)),
    );
    for (const values of white) within(deviation(values), STD);
    for (let s = 0; s < ROUNDS; s++) {
      for (let t = s + 1; t < ROUNDS; t++) {
        const correlation = product(white[s], white[t]) / (layout.size * STD * STD);
        // The largest of 120 normals.
        expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(layout.size));
      }
    }
  });

  test('sums over rounds bear less noise than with independent noise of the same privacy', () => {
    const bands = 16;
    const inverse = inverseCoefficients(bandedSquareRoot(bands), 64);
    let prefix = 0;
    let squared = 0;
    let total = 0;
    for (let t = 0; t < 64; t++) {
      prefix += inverse[t];
      squared += prefix * prefix;
      total += squared;
    }
    // Independent noise: variance t of the sum of t rounds.
    expect(total / ((64 * 65) / 2)).toBeLessThan(0.5);
  });

  test('states the standard deviation of each round', () => {
    const noise = banded();
    for (const [t, values] of released(banded()).entries()) within(deviation(values), noise.standardDeviation(t + 1));
  });
});

describe.each([
  ['tree', tree],
  ['banded', banded],
] as const)('%s: resuming', (_, make) => {
  test.each(['seeded', 'cryptographic'] as const)('%s: the same bits', (source) => {
    const whole = released(make(source));
    for (const stop of [1, 5, 8, 12]) {
      const before = make(source);
      for (let round = 1; round <= stop; round++) before.addTo(new Float64Array(layout.size), round);
      const state = structuredClone(before.state());
      if (source === 'seeded') expect(state).toEqual({});
      const after = make(source);
      after.restore(state, stop);
      for (let round = stop + 1; round <= ROUNDS; round++) {
        const sum = new Float64Array(layout.size);
        after.addTo(sum, round);
        expect(sum.every((x, i) => x * grid.step === whole[round - 1][i])).toBe(true);
      }
    }
  });

  test('without its state a cryptographic run does not go on, and rounds come in order', () => {
    expect(() => make('cryptographic').restore({}, 3)).toThrow('the checkpoint lacks');
    expect(() => make().addTo(new Float64Array(layout.size), 2)).toThrow('round 2 came where round 1 was due');
  });
});
