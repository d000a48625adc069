import { describe, expect, test } from '@jest/globals';
import { characterEdits, errorRate, wordEdits } from '../../server/error-rates.ts';

/** Textbook dynamic programme over whole rows, the reference. */
function editDistance(reference: readonly string[], hypothesis: readonly string[]): number {
  let row = hypothesis.map((_, j) => j + 1);
  reference.forEach((token, i) => {
    let left = i + 1;
    row = row.map((above, j) => {
      const diagonal = j === 0 ? i : row[j - 1];
      left = Math.min(left + 1, above + 1, diagonal + (token === hypothesis[j] ? 0 : 1));
      return left;
    });
  });
  return row.at(-1) ?? reference.length;
}

describe('error rates', () => {
  test('words: substitution, deletion and insertion cost one each', () => {
    expect(wordEdits('the cat sat down', 'the hat sat')).toEqual({ edits: 2, referenceLength: 4 });
    expect(wordEdits('one two', 'one two three')).toEqual({ edits: 1, referenceLength: 2 });
    expect(wordEdits('  one   two ', 'one two')).toEqual({ edits: 0, referenceLength: 2 });
  });

  test('characters include spaces, and a character outside the basic plane is one', () => {
    expect(characterEdits('a b', 'ab')).toEqual({ edits: 1, referenceLength: 3 });
    expect(characterEdits('a😀', 'a😁')).toEqual({ edits: 1, referenceLength: 2 });
  });

  test('agrees with a dynamic programme on words that share letters', () => {
    const vocabulary = ['one', 'two', 'ten', 'on', 'tone'];
    for (let i = 0; i < 200; i++) {
      const pick = (salt: number, n: number) =>
        Array.from({ length: n }, (_, j) => vocabulary[((i + 1) * (j + 3) * salt + (i >> j)) % vocabulary.length]);
      const [reference, hypothesis] = [pick(7, i % 6), pick(11, (i * 5) % 7)];
      expect(wordEdits(reference.join(' '), hypothesis.join(' ')).edits).toBe(editDistance(reference, hypothesis));
    }
  });

  test('the corpus rate divides total edits by total length, not the mean of rates', () => {
    expect(errorRate([wordEdits('a', 'b'), wordEdits('a b c', 'a b c')])).toBe(1 / 4);
    expect(errorRate([wordEdits('a', 'x y z')])).toBe(3);
  });

  test('empty references: no edits are no error, invented words are', () => {
    expect(errorRate([wordEdits('', '')])).toBe(0);
    expect(errorRate([])).toBe(0);
    expect(errorRate([wordEdits('', 'noise')])).toBe(1);
  });
});
