import type { DigitWord } from '../text.ts';
import type { PhonemeName } from './phonemes.ts';

/** Pronunciations of each digit; a speaker keeps to one of them. */
export const LEXICON: Readonly<Record<DigitWord, readonly (readonly PhonemeName[])[]>> = {
  zero: [
    ['Z', 'IH', 'R', 'OW1', 'OW2'],
    ['Z', 'IY', 'R', 'OW1', 'OW2'],
  ],
  one: [['W', 'AH', 'N']],
  two: [['TCL', 'T', 'HH', 'UW']],
  three: [['TH', 'R', 'IY']],
  four: [
    ['F', 'AO', 'R'],
    ['F', 'AO', 'AX'],
  ],
  five: [['F', 'AY1', 'AY2', 'V']],
  six: [['S', 'IH', 'KCL', 'K', 'S']],
  seven: [
    ['S', 'EH', 'V', 'AX', 'N'],
    ['S', 'EH', 'V', 'N'],
  ],
  eight: [
    ['EY1', 'EY2', 'TCL', 'T'],
    ['EY1', 'EY2', 'TCL', 'T', 'HH'],
  ],
  nine: [['N', 'AY1', 'AY2', 'N']],
};
