import { describe, expect, test } from '@jest/globals';
import { decodeGreedily } from '../../server/ctc-decoding.ts';

/** Logits whose best symbols are `path`. */
function logitsOf(path: readonly number[], symbols: number): Float32Array {
  const logits = new Float32Array(path.length * symbols).fill(-1);
  path.forEach((symbol, frame) => {
    logits[frame * symbols + symbol] = 2;
  });
  return logits;
}

describe('decodeGreedily', () => {
  test.each([
    [
      [1, 1, 2],
      [1, 2],
    ],
    [
      [1, 0, 1],
      [1, 1],
    ],
    [[0, 0, 3, 3, 0], [3]],
    [[0, 0], []],
    [
      [2, 1, 1, 0, 1, 2],
      [2, 1, 1, 2],
    ],
  ])('path %p reads %p', (path, text) => {
    expect(decodeGreedily(logitsOf(path, 4), path.length, 4)).toEqual(text);
  });

  test('frames of padding are not read', () => {
    expect(decodeGreedily(logitsOf([1, 2, 3, 3], 4), 2, 4)).toEqual([1, 2]);
  });

  test('ties go to the blank', () => {
    expect(decodeGreedily(new Float32Array(4), 1, 4)).toEqual([]);
  });
});
