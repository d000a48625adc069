import { DataError } from '../errors.ts';

/** The ten digit words, index = digit. */
export const DIGIT_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'] as const;
export type DigitWord = (typeof DIGIT_WORDS)[number];

/** The characters of the digit words in alphabetical order, then the space between words. CTC symbol i ≥ 1 is entry i−1. */
export const DIGIT_ALPHABET: readonly string[] = [...'efghinorstuvwxz', ' '];

/**
 * Text as CTC symbols 1 … alphabet.length (0 is the blank and never appears).
 * @throws DataError naming the characters that the alphabet lacks
 */
export function encodeText(text: string, alphabet: readonly string[]): Int32Array {
  const characters = [...text];
  const unknown = new Set(characters.filter((character) => !alphabet.includes(character)));
  if (unknown.size > 0) {
    const list = [...unknown].map((character) => JSON.stringify(character)).join(', ');
    throw new DataError(
      `transcription ${JSON.stringify(text)}: characters ${list} are not in the alphabet '${alphabet.join('')}'; spell it with those`,
    );
  }
  return Int32Array.from(characters, (character) => alphabet.indexOf(character) + 1);
}

/**
 * The text of CTC symbols without blanks (collapsed already).
 * @throws DataError for a symbol outside 1 … alphabet.length
 */
export function decodeText(symbols: ArrayLike<number>, alphabet: readonly string[]): string {
  let text = '';
  for (let i = 0; i < symbols.length; i++) {
    const character = alphabet[symbols[i] - 1];
    if (character === undefined) {
      throw new DataError(
        `symbol ${symbols[i]} at position ${i} stands for no character; expected 1 to ${alphabet.length}`,
      );
    }
    text += character;
  }
  return text;
}
