import { describe, expect, test } from '@jest/globals';
import { namedStream, preciseUniform } from '../../random/stream.ts';

const firstDraws = (...key: Parameters<typeof namedStream>) => {
  const stream = namedStream(...key);
  return [stream.int32(), stream.int32(), stream.int32()];
};

describe('named streams', () => {
  test('the same key gives the same draws, any other key others', () => {
    expect(firstDraws(1, 'a', 2, 3)).toEqual(firstDraws(1, 'a', 2, 3));
    const keys: Parameters<typeof namedStream>[] = [
      [1, 'a', 2, 3],
      [1, 'a', 23],
      [1, 'a', 3, 2],
      [1, 'b', 2, 3],
      [2, 'a', 2, 3],
      ['1', 'a', 2, 3],
      [1, 'a'],
    ];
    expect(new Set(keys.map((key) => firstDraws(...key).join())).size).toBe(keys.length);
  });

  test('seed 0 is a seed like any other: reproducible, and not another one', () => {
    expect(firstDraws(0, 'privacy-noise', 1)).toEqual(firstDraws(0, 'privacy-noise', 1));
    for (const other of [1, '', '0', 'undefined']) {
      expect(firstDraws(0, 'privacy-noise', 1)).not.toEqual(firstDraws(other, 'privacy-noise', 1));
    }
  });

  test('integer covers its range evenly', () => {
    const stream = namedStream(3, 'integer');
    const counts = new Float64Array(7);
    for (let i = 0; i < 70_000; i++) counts[stream.integer(7)]++;
    // Chi-squared with 6 degrees of freedom: 22.5 is its 99.9 % point.
    expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(22.5);
  });
});

describe('preciseUniform', () => {
  const fixed = (value: number) => ({ uniform: () => 0, int32: () => value, integer: () => 0 });

  test('never 0 and never 1', () => {
    expect(preciseUniform(fixed(0))).toBe(2 ** -53);
    expect(preciseUniform(fixed(-1))).toBe(1 - 2 ** -53);
  });

  test('mean 1/2, variance 1/12', () => {
    const stream = namedStream(4, 'precise');
    const draws = Float64Array.from({ length: 40_000 }, () => preciseUniform(stream));
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.006);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.0016);
  });
});
