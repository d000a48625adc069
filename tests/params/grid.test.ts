import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { ExactGrid } from '../../params/grid.ts';
import { mostRounded } from '../../params/grid-sum.ts';
import { namedStream } from '../../random/stream.ts';

describe('ExactGrid', () => {
  test.each([
    [0.1, 1021],
    [0.01, 214_851],
    [1, 1],
    [1, 2 ** 20],
    [1, 2 ** 20 - 1],
    [1e-8, 3],
    [12345.678, 999],
    [2 ** -30, 2 ** 31],
  ])('bound %p, cohort %p: the finest power of two that keeps sums below 2^53', (bound, cohort) => {
    const { step, perUnit } = ExactGrid.forSum(bound, cohort);
    expect(Number.isInteger(Math.log2(step))).toBe(true);
    expect(step * perUnit).toBe(1);
    expect((bound * cohort) / step).toBeLessThan(2 ** 53);
    expect((bound * cohort) / (step / 2)).toBeGreaterThanOrEqual(2 ** 53);
  });

  test('sums of the largest integers do not depend on the order', () => {
    const cohort = 1000;
    const grid = ExactGrid.forSum(0.1, cohort);
    const stream = namedStream(5, 'grid-test');
    const terms = Array.from({ length: cohort }, () => Math.trunc((0.2 * stream.uniform() - 0.1) * grid.perUnit));
    terms[0] = Math.trunc(0.1 * grid.perUnit);
    const exact = terms.reduce((sum, term) => sum + BigInt(term), 0n);
    const forward = terms.reduce((sum, term) => sum + term, 0);
    const backward = terms.reduceRight((sum, term) => sum + term, 0);
    const byHalves = terms.slice(500).reduce((a, b) => a + b, 0) + terms.slice(0, 500).reduce((a, b) => a + b, 0);
    expect([forward, backward, byHalves]).toEqual(Array(3).fill(Number(exact)));
  });

  test('another process rebuilds the grid from its step; other numbers are refused', () => {
    const grid = ExactGrid.forSum(0.1, 1000);
    expect(new ExactGrid(grid.step).perUnit).toBe(grid.perUnit);
    for (const step of [0, -1, 3, 0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new ExactGrid(step)).toThrow(PrivacyError);
    }
    expect(() => ExactGrid.forSum(0, 10)).toThrow('privacy.clipping.bound');
    expect(() => ExactGrid.forSum(1, 0)).toThrow(PrivacyError);
  });

  test('a grid for noisy sums has room for the noise and is coarser than the noise draws', () => {
    for (const [bound, cohort, std] of [
      [0.1, 1200, 0.05],
      [1, 180, 20],
      [1, 100, 50],
      [0.01, 1e6, 1e-4],
      [3, 1, 1e6],
    ]) {
      const { step } = ExactGrid.forNoisySum(bound, cohort, std);
      expect(std / step).toBeLessThanOrEqual(2 ** 31);
      expect((cohort * bound + 13 * std) / step).toBeLessThan(2 ** 53);
      expect(step).toBeGreaterThanOrEqual(ExactGrid.forSum(bound, cohort).step);
    }
    expect(() => ExactGrid.forNoisySum(1, 10, 0)).toThrow('standard deviation');
  });

  test('a grid for rounded sums holds the bound in as many steps as float32 can round, and is no coarser than that', () => {
    for (const [bound, cohort, std] of [
      [0.1, 1200, 0.05],
      [2 ** -5, 180, 20],
      [1, 1e9, 1],
      [2 ** -5 * (1 + 2 ** -50), 100, 1],
      [3, 1, 1e6],
    ]) {
      const { step } = ExactGrid.forRoundedSum(bound, cohort, std);
      const least = ExactGrid.forNoisySum(bound, cohort, std).step;
      expect(bound / step).toBeLessThanOrEqual(mostRounded);
      expect(step === least || bound / (step / 2) > mostRounded).toBe(true);
    }
  });

  test('average divides by the given (expected) cohort, in parameter units', () => {
    const grid = new ExactGrid(2 ** -10);
    const out = new Float32Array(2);
    grid.average(Float64Array.of(1024, -2048), 4, out);
    expect([...out]).toEqual([0.25, -0.5]);
    expect(() => grid.average(new Float64Array(3), 4, out)).toThrow(PrivacyError);
  });
});
