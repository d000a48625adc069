import { describe, expect, test } from '@jest/globals';
import { DIGIT_ALPHABET, DIGIT_WORDS, decodeText, encodeText } from '../../data/text.ts';
import { DataError } from '../../errors.ts';

describe('text as CTC symbols', () => {
  test('the alphabet is exactly the characters of the digit words and the space', () => {
    expect([...DIGIT_ALPHABET].sort()).toEqual([...new Set(DIGIT_WORDS.join(' '))].sort());
  });

  test('known symbols, never the blank', () => {
    expect([...encodeText('one six', DIGIT_ALPHABET)]).toEqual([7, 6, 1, 16, 9, 5, 14]);
  });

  test('decoding undoes encoding', () => {
    for (const text of [...DIGIT_WORDS, DIGIT_WORDS.join(' '), ''])
      expect(decodeText(encodeText(text, DIGIT_ALPHABET), DIGIT_ALPHABET)).toBe(text);
  });

  test('unknown characters are named, each once', () => {
    expect(() => encodeText('a one, a two', DIGIT_ALPHABET)).toThrow(DataError);
    expect(() => encodeText('a one, a two', DIGIT_ALPHABET)).toThrow(/characters "a", "," are not in the alphabet/);
  });

  test('the blank and symbols beyond the alphabet have no character', () => {
    expect(decodeText([2, 1, 3], ['a', 'b', ' '])).toBe('ba ');
    expect(() => decodeText([1, 0], DIGIT_ALPHABET)).toThrow(/symbol 0 at position 1/);
    expect(() => decodeText([17], DIGIT_ALPHABET)).toThrow(DataError);
  });
});
