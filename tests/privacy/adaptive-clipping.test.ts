import { describe, expect, test } from '@jest/globals';
import { ParameterLayout } from '../../params/layout.ts';
import { AdaptiveClipping, splitBudget } from '../../privacy/adaptive-clipping.ts';
import { privacyConfig } from '../../privacy/config.ts';
import { standardNormal } from '../../random/normal.ts';
import { namedStream } from '../../random/stream.ts';

const layout = new ParameterLayout([
  { name: 'a', shape: [3] },
  { name: 'b', shape: [9] },
]);
const settings = { quantile: 0.5, learningRate: 0.2, countNoise: 1e-9 };
const quiet = () => namedStream(0, 'quiet');

describe('splitBudget', () => {
  test('is that of Andrew et al. 2021, Theorem 1, for one bound', () => {
    const { deltas, counts } = splitBudget(1.2, 5, 1);
    expect(deltas).toBeCloseTo((1.2 ** -2 - (2 * 5) ** -2) ** -0.5, 12);
    expect(deltas).toBeGreaterThan(1.2);
    expect(deltas ** -2 + counts ** -2).toBeCloseTo(1.2 ** -2, 12);
  });

  test('H bounds move by √H / 2 together', () => {
    const { deltas, counts } = splitBudget(0.8, 10, 16);
    expect(counts).toBe(5);
    expect(deltas ** -2 + counts ** -2).toBeCloseTo(0.8 ** -2, 12);
  });

  test('counts that would spend everything are refused, with the least noise that works', () => {
    expect(() => splitBudget(2, 1, 1)).toThrow('must be above 1');
    expect(() => splitBudget(2, 4, 16)).toThrow('must be above 4');
    expect(splitBudget(2, 4.001, 16).deltas).toBeGreaterThan(2);
  });
});

describe('AdaptiveClipping', () => {
  test('direction not flipped: clipped clients raise the bound, unclipped ones lower it', () => {
    const clipping = new AdaptiveClipping({ mode: 'global', bound: 1 }, layout, settings);
    clipping.update(100, [100, 100], 100, quiet());
    // b = 0: C · exp(−0.2 · (0 − 0.5)).
    expect(clipping.spec.bound).toBeCloseTo(Math.exp(0.1), 6);
    clipping.update(100, [0, 0], 100, quiet());
    clipping.update(100, [0, 0], 100, quiet());
    expect(clipping.spec.bound).toBeCloseTo(Math.exp(-0.1), 6);
  });

  test('an empty cohort counts as b = 1/2, by the expected cohort and not the realised one', () => {
    const clipping = new AdaptiveClipping({ mode: 'global', bound: 1 }, layout, { ...settings, quantile: 0.8 });
    clipping.update(0, [0, 0], 100, quiet());
    expect(clipping.spec.bound).toBeCloseTo(Math.exp(0.2 * 0.3), 6);
    const half = new AdaptiveClipping({ mode: 'global', bound: 1 }, layout, settings);
    // 50 of 50 within, of 100 expected: b = 1/2 + 25/100.
    half.update(50, [0, 0], 100, quiet());
    expect(half.spec.bound).toBeCloseTo(Math.exp(-0.2 * 0.25), 6);
  });

  test.each([0.2, 0.5, 0.9])('finds the quantile %d of log-normal norms', (quantile) => {
    const random = namedStream(3, 'norms', quantile * 10);
    const clipping = new AdaptiveClipping({ mode: 'global', bound: 50 }, layout, {
      ...settings,
      quantile,
      countNoise: 5,
    });
    const tail: number[] = [];
    for (let round = 0; round < 400; round++) {
      let clipped = 0;
      for (let i = 0; i < 100; i++) if (Math.exp(standardNormal(random)) > clipping.spec.bound) clipped++;
      clipping.update(100, [clipped, clipped], 100, namedStream(3, 'count-noise', round));
      if (round >= 100) tail.push(clipping.spec.bound);
    }
    const within = tail.reduce((sum, bound) => sum + normalCdf(Math.log(bound)), 0) / tail.length;
    expect(Math.abs(within - quantile)).toBeLessThan(0.03);
  });

  test('bounds of layers move apart and their squares add up to C²', () => {
    const clipping = new AdaptiveClipping({ mode: 'dim', bound: 2 }, layout, settings);
    expect([...clipping.bounds]).toEqual([1, Math.sqrt(3)]);
    clipping.update(10, [10, 0], 10, quiet());
    const { layerBounds = [], bound } = clipping.spec;
    expect(layerBounds[0]).toBeCloseTo(Math.exp(0.1), 6);
    expect(layerBounds[1]).toBeCloseTo(Math.sqrt(3) * Math.exp(-0.1), 6);
    expect(layerBounds.reduce((sum, c) => sum + c * c, 0)).toBeCloseTo(bound ** 2, 12);
  });

  test('goes on from saved bounds, and from no others', () => {
    const clipping = new AdaptiveClipping({ mode: 'uniform', bound: 2 }, layout, settings);
    clipping.update(10, [10, 3], 10, quiet());
    const again = new AdaptiveClipping({ mode: 'uniform', bound: 2 }, layout, settings);
    again.restore(clipping.bounds);
    expect(again.spec).toEqual(clipping.spec);
    expect(() => again.restore(Float64Array.of(1))).toThrow('no clipping bounds');
    expect(() => again.restore(undefined)).toThrow('no clipping bounds');
  });

  test('is refused where its noise or its counts would not fit', () => {
    const config = (changes: object) => ({
      clipping: { mode: 'global', bound: 1, adaptive: {} },
      noise: { multiplier: 1 },
      ...changes,
    });
    expect(privacyConfig.safeParse(config({})).success).toBe(true);
    for (const changes of [
      { mechanism: 'discreteGaussian' },
      { noisePlacement: 'shares' },
      { noiseGroups: [{ layers: ['a'], factor: 2 }] },
    ]) {
      const paths = privacyConfig.safeParse(config(changes)).error?.issues.map(({ path }) => path.join('.'));
      expect(paths).toContain('clipping.adaptive');
    }
  });
});

/** Φ by Simpson's rule. */
function normalCdf(x: number): number {
  const steps = 400;
  const h = (x + 8) / steps;
  const f = (y: number) => Math.exp((-y * y) / 2) / Math.sqrt(2 * Math.PI);
  let sum = f(-8) + f(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * f(-8 + i * h);
  return (sum * h) / 3;
}
