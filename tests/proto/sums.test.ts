import { describe, expect, test } from '@jest/globals';
import { bytesOfSum, sumOfBytes } from '../../proto/sums.ts';

const roundTrip = (sum: Float64Array) => {
  const bytes = bytesOfSum(sum);
  return { bytes: bytes.byteLength / sum.length, back: sumOfBytes(bytes, bytes.byteLength < 8 * sum.length) };
};

describe('a sum of grid integers on the wire', () => {
  test('takes 4 bytes a value up to the ends of int32', () => {
    const sum = Float64Array.of(0, 1, -1, 2 ** 31 - 1, 1 - 2 ** 31);
    expect(roundTrip(sum)).toEqual({ bytes: 4, back: Int32Array.from(sum) });
  });

  test.each([2 ** 31, -(2 ** 31), 2 ** 53 - 1, 0.5 + 2 ** 40])('takes 8 as soon as one is %d', (value) => {
    const sum = Float64Array.of(3, value, -7);
    expect(roundTrip(sum)).toEqual({ bytes: 8, back: sum });
  });

  test('is never narrowed when it is not finite: the receiver is to see that', () => {
    expect(roundTrip(Float64Array.of(1, Number.NaN)).bytes).toBe(8);
    expect(roundTrip(Float64Array.of(1, Number.POSITIVE_INFINITY)).bytes).toBe(8);
  });
});
