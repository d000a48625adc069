import { describe, expect, test } from '@jest/globals';
import { l2Norm, sumOfSquares } from '../../params/vector.ts';

describe('norms of parts of a vector', () => {
  test('3-4-5, for every length of the unrolled loop', () => {
    expect(l2Norm(Float32Array.of(3, 4))).toBe(5);
    for (let n = 0; n < 12; n++) {
      expect(sumOfSquares(Float32Array.from({ length: n }, (_, i) => i + 1))).toBe((n * (n + 1) * (2 * n + 1)) / 6);
    }
  });

  test('only the part asked for counts', () => {
    expect(sumOfSquares(Float32Array.of(9, 1, 2, 3, 4, 5, 9), 1, 6)).toBe(55);
  });

  test('accumulates in float64: a million small squares beside a large one are not lost', () => {
    const values = new Float32Array(1_000_001).fill(1e-3);
    values[0] = 1e3;
    const small = Math.fround(1e-3) ** 2 * 1_000_000;
    expect(sumOfSquares(values)).toBeCloseTo(1e6 + small, 4);
  });

  test('finite exactly when every element is', () => {
    expect(sumOfSquares(new Float32Array(8).fill(3.4e38))).toBeLessThan(Number.POSITIVE_INFINITY);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let i = 0; i < 6; i++) {
        const values = new Float32Array(6).fill(1);
        values[i] = bad;
        expect(Number.isFinite(sumOfSquares(values))).toBe(false);
      }
    }
  });
});
