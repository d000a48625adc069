import { expect, test } from '@jest/globals';
import { expBounds } from '../../random/exp-bounds.ts';

/** The first 60 decimals, from published tables. */
const E_TO_MINUS_ONE = 367879441171442321595523770161460867445811131031767834507836n;
const DECIMALS = 10n ** 60n;

test('encloses 1/e to 160 binary digits', () => {
  const { lower, upper } = expBounds(1n, 1n, 160);
  const scale = 1n << 160n;
  expect(lower * DECIMALS <= (E_TO_MINUS_ONE + 1n) * scale).toBe(true);
  expect(upper * DECIMALS >= E_TO_MINUS_ONE * scale).toBe(true);
  expect(upper - lower <= 4n).toBe(true);
});

test('encloses what Math.exp gives, wherever float64 can tell', () => {
  for (const [num, den] of [
    [0n, 7n],
    [1n, 1n << 40n],
    [1n, 3n],
    [12345n, 1000n],
    [600n, 7n],
  ]) {
    const { lower, upper } = expBounds(num, den, 200);
    const value = Math.exp(-Number(num) / Number(den));
    expect(Number(lower) / 2 ** 200 / value).toBeLessThan(1 + 1e-13);
    expect(Number(upper) / 2 ** 200 / value).toBeGreaterThan(1 - 1e-13);
    expect(Number(upper - lower)).toBeLessThanOrEqual(4);
  }
});

test('more digits only narrow the bounds', () => {
  const coarse = expBounds(22n, 7n, 64);
  const fine = expBounds(22n, 7n, 256);
  expect(coarse.lower << 192n <= fine.lower).toBe(true);
  expect(coarse.upper << 192n >= fine.upper).toBe(true);
});
