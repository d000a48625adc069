import { describe, expect, test } from '@jest/globals';
import { l2Norm, quickSquaresError, quickSumOfSquares, sumOfSquares } from '../../params/vector.ts';
import { namedStream } from '../../random/stream.ts';

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

describe('quickSumOfSquares', () => {
  /** In whole multiples of 2^-298, the square of the smallest float32: exact. */
  const exact = (values: Float32Array) =>
    values.reduce((sum, value) => {
      // A float32 is a whole multiple of 2^-149; multiplied in two steps, no power of two overflows.
      const steps = BigInt(Math.abs(value) * 2 ** 149);
      return sum + steps * steps;
    }, 0n);
  const stream = namedStream('quick sum of squares', 'values');
  const draw = (length: number, exponent: () => number) =>
    Float32Array.from({ length }, () => (stream.uniform() - 0.5) * 2 ** exponent());

  test.each([
    ['of one size', () => -7],
    ['of many sizes', () => 60 * stream.uniform() - 40],
    ['whose squares float32 hardly holds', () => -60],
    ['whose squares float32 does not hold', () => -100],
    ['below the smallest normal number', () => -135],
    ['whose squares overflow float32', () => 90],
  ])('stays within its relative error of the exact sum for values %s', (_, exponent) => {
    for (const length of [0, 1, 15, 16, 17, 64, 1000, 4099]) {
      const values = draw(length, exponent);
      const quick = quickSumOfSquares(values);
      const squares = exact(values);
      if (squares === 0n) {
        expect(quick).toBe(0);
        continue;
      }
      // Both in units of 2^-298, the error times 2^53: all are whole.
      const [mantissa, shift] = asInteger(quick);
      const difference = (mantissa << BigInt(shift + 298)) - squares;
      const most = squares * BigInt(2 ** 53 * (quickSquaresError + length * 2 ** -53));
      expect((difference < 0n ? -difference : difference) * 2n ** 53n <= most).toBe(true);
    }
  });

  test('finite exactly when every element is', () => {
    expect(quickSumOfSquares(new Float32Array(40).fill(3.4e38))).toBeLessThan(Number.POSITIVE_INFINITY);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (let i = 0; i < 20; i++) {
        const values = new Float32Array(20).fill(1);
        values[i] = bad;
        expect(Number.isFinite(quickSumOfSquares(values))).toBe(false);
      }
    }
  });
});

/** A positive double as integer · 2^exponent. */
function asInteger(value: number): [bigint, number] {
  const exponent = Math.max(Math.floor(Math.log2(value)) - 53, -298);
  return [BigInt(value / 2 ** exponent), exponent];
}
