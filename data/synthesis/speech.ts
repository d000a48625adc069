import type { RandomStream } from '../../random/stream.ts';
import { DIGIT_WORDS, type DigitWord } from '../text.ts';
import { articulate } from './articulation.ts';
import { record } from './recording.ts';
import type { Speaker } from './speaker.ts';
import { vocalise } from './vocal-tract.ts';

/** `minWords` … `maxWords` digit words, each equally likely. */
export function drawWords(minWords: number, maxWords: number, random: RandomStream): DigitWord[] {
  const count = minWords + random.integer(maxWords - minWords + 1);
  return Array.from({ length: count }, () => DIGIT_WORDS[random.integer(DIGIT_WORDS.length)]);
}

/** One recording of `speaker` saying `words`: samples in about −1 … 1 at `SYNTHESIS_RATE`. */
export function speak(words: readonly DigitWord[], speaker: Speaker, random: RandomStream): Float32Array {
  const audio = vocalise(articulate(words, speaker, random), speaker, random);
  record(audio, speaker, random);
  return audio;
}
