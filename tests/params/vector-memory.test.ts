import { describe, expect, test } from '@jest/globals';
import { quickSumOfSquares } from '../../params/vector.ts';
import { allocateVectors, kernelsOf } from '../../params/vector-memory.ts';
import { namedStream } from '../../random/stream.ts';

/** Values over many orders of magnitude, with what is special among float32. */
function fill(delta: Float32Array): void {
  const stream = namedStream('vector memory test', 'values');
  const special = [0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.5, -0.5];
  for (let i = 0; i < delta.length; i++) {
    delta[i] = i % 7 === 0 ? special[i % 8] : (stream.uniform() - 0.5) * 10 ** (12 * stream.uniform() - 8);
  }
}

describe('kernels on vectors in one memory', () => {
  const size = 1037;
  const parts = 7;
  const { delta, sum } = allocateVectors(size, parts);
  fill(delta);
  const plain = { delta: Float32Array.from(delta), sum: new Float64Array(size) };

  test('are there for these vectors, and for no others', () => {
    expect(kernelsOf(sum, delta)).toBeDefined();
    expect(kernelsOf(plain.sum, plain.delta)).toBeUndefined();
    expect(kernelsOf(sum, plain.delta)).toBeUndefined();
    expect(kernelsOf(sum, allocateVectors(4).delta)).toBeUndefined();
  });

  test.each([
    [0, size],
    [0, 4],
    [5, 5],
    [3, 4],
    [1, 1036],
    [2, 35],
    [1036, size],
    [1005, size],
  ])('give the bits of the plain loops over [%i, %i)', (start, end) => {
    expect(quickSumOfSquares(delta, start, end)).toBe(quickSumOfSquares(plain.delta, start, end));
  });

  test('see NaN and infinity', () => {
    const { delta } = allocateVectors(9);
    for (const [index, value] of [
      [0, Number.NaN],
      [6, Number.POSITIVE_INFINITY],
      [8, Number.NEGATIVE_INFINITY],
    ] as const) {
      delta.fill(1)[index] = value;
      expect(quickSumOfSquares(delta)).toBe(Number.isNaN(value) ? Number.NaN : Number.POSITIVE_INFINITY);
    }
  });

  test('begin with zeros, delta and sum apart', () => {
    const vectors = allocateVectors(100_001);
    expect(vectors.sum.every((value) => value === 0) && vectors.delta.every((value) => value === 0)).toBe(true);
    vectors.delta.fill(1);
    expect(vectors.sum.every((value) => value === 0)).toBe(true);
    vectors.sum.fill(2);
    expect(vectors.delta.every((value) => value === 1)).toBe(true);
  });

  test('are done without where the vectors do not fit into a memory', () => {
    const { sum, delta } = allocateVectors(6000, 1, 65_536);
    expect([sum.length, delta.length]).toEqual([6000, 6000]);
    expect(kernelsOf(sum, delta)).toBeUndefined();
  });
});
