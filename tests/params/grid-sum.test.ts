import { describe, expect, test } from '@jest/globals';
import { type AddToGrid, addRounded, addTruncated, mostRounded } from '../../params/grid-sum.ts';
import { allocateVectors } from '../../params/vector-memory.ts';
import { namedStream } from '../../random/stream.ts';

/** Integers that one delta of the given values adds, on ordinary vectors. */
function integers(add: AddToGrid, values: readonly number[], factor: number): number[] {
  const sum = new Float64Array(values.length);
  add(sum, 0, values.length, [{ values: Float32Array.from(values), starts: [0], factors: [factor] }], 0);
  return [...sum].map((value) => value + 0);
}

describe('addRounded', () => {
  test('rounds to nearest, halves to even', () => {
    const values = [0, 0.25, 0.5, 0.75, 1.5, 2.5, 3.5, -0.5, -0.75, -1.5, -2.5, 1e-45, 7.499_999];
    expect(integers(addRounded, values, 1)).toEqual([0, 0, 0, 1, 2, 2, 4, 0, -1, -2, -2, 0, 7]);
    expect(integers(addTruncated, values, 1)).toEqual([0, 0, 0, 0, 1, 2, 3, 0, 0, -1, -2, 0, 7]);
  });

  test('is right up to its largest magnitude', () => {
    const values = [mostRounded, -mostRounded, mostRounded - 0.25, mostRounded - 0.5, 0.5 - mostRounded];
    expect(integers(addRounded, values, 1)).toEqual([
      mostRounded,
      -mostRounded,
      mostRounded,
      mostRounded,
      -mostRounded,
    ]);
  });

  test('is off by half a step at most, and by 2^-22 of the product', () => {
    const stream = namedStream('grid sum test', 'values');
    const values = Array.from({ length: 10_000 }, () => Math.fround((stream.uniform() - 0.5) * 2 ** (23 - 30)));
    const factor = 2 ** 30 / 3;
    for (const [i, integer] of integers(addRounded, values, factor).entries()) {
      const product = values[i] * factor;
      expect(Math.abs(integer - product)).toBeLessThanOrEqual(0.5 + Math.abs(product) * 2 ** -22);
    }
  });
});

describe('deltas in one memory', () => {
  const size = 1037;
  const parts = 19;
  const { delta, sum } = allocateVectors(size, parts);
  const stream = namedStream('grid sum test', 'deltas');
  const special = [0, -0, 1e-45, -1e-45, 0.5, -0.5, 0.25, 1];
  for (let i = 0; i < delta.length; i++) {
    delta[i] = i % 7 === 0 ? special[i % 8] : (stream.uniform() - 0.5) * 10 ** (10 * stream.uniform() - 10);
  }
  // In all deltas alike: ties, and magnitudes that come to the largest that can be rounded.
  for (let part = 0; part < parts; part++)
    delta.set([1, -1, 0.75, -0.75, 2 ** -23, 3 * 2 ** -23, -5 * 2 ** -23], part * size + 1);
  const plain = { delta: Float32Array.from(delta), sum: new Float64Array(size) };

  test.each([
    ['truncated', addTruncated, [0.75, 2 ** 30 / 3, 1e-3]],
    ['rounded', addRounded, [0.75, 2 ** 19 / 3, mostRounded / 2, 1e-3, 0]],
  ] as const)('%s, come to the bits of the plain loop, any number of them and any part', (_, addTo, factors) => {
    for (const [start, end] of [
      [0, size],
      [0, 4],
      [5, 5],
      [3, 4],
      [1, 1036],
      [1036, size],
    ]) {
      for (const count of [0, 1, 3, 4, 7, 8, 9, 16, parts]) {
        for (const factor of factors) {
          const add = ({ sum, delta }: typeof plain) => {
            const scaled = Array.from({ length: count }, (_, i) => ({
              values: delta,
              starts: [0, i * size + start],
              factors: [0, i % 2 === 0 ? factor : 2 * factor],
            }));
            addTo(sum, start, end - start, scaled, 1);
          };
          add({ sum, delta });
          add(plain);
          expect(Buffer.from(sum.slice().buffer).equals(Buffer.from(plain.sum.buffer))).toBe(true);
        }
      }
    }
    expect(sum.every(Number.isInteger) && sum.some((value) => Math.abs(value) > 1000)).toBe(true);
  });
});
