import { describe, expect, test } from '@jest/globals';
import { ExactGrid } from '../../../params/grid.ts';
import { ParameterLayout } from '../../../params/layout.ts';
import { gaussianEpsilon } from '../../../privacy/analytic-gaussian.ts';
import { audit } from '../../../privacy/audit/audit.ts';
import { Canaries } from '../../../privacy/audit/canaries.ts';
import { type ClippingMode, type ClippingSpec, layerBounds } from '../../../privacy/clipping.ts';
import { IndependentNoise, seededNoise } from '../../../privacy/noise.ts';

const layout = new ParameterLayout([
  { name: 'w', shape: [17, 100] },
  { name: 'b', shape: [301] },
]);
const C = 0.5;
const DELTA = 1e-5;
const grid = ExactGrid.forSum(C, 10_000);

function canaries(count: number, seed: number, clipping: ClippingSpec, samplingRate: number, deviation = 0) {
  return new Canaries(count, seed, layout, { clipping, grid, samplingRate, deviation: () => deviation });
}

/** Scores after rounds in which nobody but canaries takes part; each coordinate of the sum gets noise of standard deviation z·C. */
function audited(seed: number, z: number, claimedMultiplier: number, { count = 800, rounds = 1, rate = 1 } = {}) {
  const each = canaries(count, seed, { mode: 'global', bound: C }, rate, z * C);
  const scales = layout.layers.map(() => z * C);
  const noise = z > 0 ? new IndependentNoise('gaussian', layout, grid, scales, seededNoise(seed)) : undefined;
  for (let round = 1; round <= rounds; round++) {
    const sum = new Float64Array(layout.size);
    each.addTo(sum, round);
    noise?.addTo(sum, round);
    each.observe(sum);
  }
  const { scores, included } = each;
  const claimedEpsilon = gaussianEpsilon(Math.sqrt(rounds) / claimedMultiplier, DELTA).upper;
  return audit({ scores, included, delta: DELTA, confidence: 0.99, claimedEpsilon });
}

describe('a canary', () => {
  test.each<ClippingMode>(['global', 'uniform', 'dim'])(
    'adds just the clipping bound to the sum, in every layer under %s',
    (mode) => {
      const clipping = { mode, bound: C };
      const bounds = layerBounds(clipping, layout);
      // The first of a few that its coin included.
      const one = canaries(20, 4, clipping, 1);
      const sum = new Float64Array(layout.size);
      const members = one.addTo(sum, 1);
      expect(members).toBe(one.included.filter(Boolean).length);
      one.observe(sum);
      const norms = layout.layers.map(({ offset, size }) =>
        Math.hypot(...sum.subarray(offset, offset + size).map((x) => x * grid.step)),
      );
      // Random directions add up like √n, to within n/√(2d).
      const tolerance = members / Math.sqrt(2 * 301);
      for (const [h, norm] of norms.entries()) {
        const share = mode === 'global' ? C * Math.sqrt(layout.layers[h].size / layout.size) : bounds[h];
        expect(Math.abs(norm / share / Math.sqrt(members) - 1)).toBeLessThan(tolerance);
      }
    },
  );

  test('scores 1 for every round that it takes part in, and about 0 if it never does', () => {
    const count = 60;
    const some = canaries(count, 9, { mode: 'dim', bound: C }, 1);
    for (const round of [1, 2, 3]) {
      const sum = new Float64Array(layout.size);
      some.addTo(sum, round);
      some.observe(sum);
    }
    // Products of directions: standard deviation √(n/d) of the sum of n of them, three times over; five deviations.
    const limit = 5 * 3 * Math.sqrt(count / 2 / layout.size);
    for (const [i, score] of some.scores.entries()) {
      expect(Math.abs(score - (some.included[i] ? 3 : 0))).toBeLessThan(limit);
    }
  });

  test('takes part with the sampling rate, if its coin included it', () => {
    const many = canaries(4000, 2, { mode: 'global', bound: C }, 0.01);
    const heads = many.included.filter(Boolean).length;
    expect(Math.abs(heads - 2000)).toBeLessThan(5 * Math.sqrt(1000));
    const members = [1, 2, 3, 4, 5, 6, 7, 8].map((round) => many.addTo(new Float64Array(layout.size), round));
    const expected = 8 * 0.01 * heads;
    expect(Math.abs(members.reduce((a, b) => a + b, 0) - expected)).toBeLessThan(5 * Math.sqrt(expected));
    expect(new Set(members).size).toBeGreaterThan(1);
  });
});

describe('the audit of what is released', () => {
  test('without noise it finds a large ε, by both ways', () => {
    const { lowerBound, estimate } = audited(1, 0, 1);
    expect(lowerBound.epsilonLower).toBeGreaterThan(3);
    // The canaries' own products are the only noise left: 400 of them in 2001 dimensions, a variance of 1/5.
    expect(estimate?.epsilonLower).toBeGreaterThan(8);
  });

  test('the right noise is not contradicted, under several seeds', () => {
    for (const seed of [1, 2, 3]) expect(audited(seed, 2, 2).contradictedBy).toBeNull();
    expect(audited(1, 4, 4, { rounds: 4 }).contradictedBy).toBeNull();
  });

  test('half of the noise is', () => {
    for (const seed of [1, 2, 3]) expect(audited(seed, 1, 2).contradictedBy).not.toBeNull();
  });

  test('what a sampling rate hides is not found, and so shows no more ε than there is', () => {
    const hidden = audited(1, 2, 2, { rate: 0.1, rounds: 4 });
    const open = audited(1, 2, 2, { rounds: 4 });
    expect(hidden.estimate?.mu).toBeLessThan((open.estimate?.mu ?? 0) / 3);
  });
});

test('scores go on from a checkpoint bit for bit; those of other canaries are refused', () => {
  const make = () => canaries(30, 5, { mode: 'dim', bound: C }, 0.5);
  const rounds = (each: Canaries, numbers: readonly number[]) => {
    for (const round of numbers) {
      const sum = new Float64Array(layout.size);
      each.addTo(sum, round);
      each.observe(sum);
    }
    return [...each.scores];
  };
  const whole = rounds(make(), [1, 2, 3]);
  const first = make();
  rounds(first, [1, 2]);
  const second = make();
  second.restore(first.state());
  expect(rounds(second, [3])).toEqual(whole);
  expect(() => second.restore({})).toThrow('canaries');
  expect(() => second.restore({ canaryScores: new Float64Array(3) })).toThrow('canaries');
});
