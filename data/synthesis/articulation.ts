import type { RandomStream } from '../../random/stream.ts';
import type { DigitWord } from '../text.ts';
import { LEXICON } from './lexicon.ts';
import { PHONEMES, type PhonemeName } from './phonemes.ts';
import type { Speaker } from './speaker.ts';

/** Articulators are planned at this step. */
export const CONTROL_MS = 5;

/** What the vocal tract does, one value per `CONTROL_MS`. */
export interface Controls {
  readonly steps: number;
  /** Three formants and bandwidths in Hz, [steps, 3] row-major. */
  readonly formants: Float64Array;
  readonly bandwidths: Float64Array;
  readonly voicing: Float64Array;
  readonly aspiration: Float64Array;
  readonly frication: Float64Array;
  /** Centre and bandwidth of frication noise in Hz, [steps, 2] row-major. */
  readonly noise: Float64Array;
  readonly pitchHz: Float64Array;
}

/** One sound of an utterance and its length in control steps. */
interface Segment {
  readonly name: PhonemeName;
  readonly steps: number;
  /** Word it belongs to, −1 for silence. */
  readonly word: number;
}

/**
 * Plans an utterance: sounds with random durations, short random gaps between words, formants that follow their targets
 * like critically damped masses (coarticulation: short sounds undershoot), and a falling pitch with an accent on each word.
 */
export function articulate(words: readonly DigitWord[], speaker: Speaker, random: RandomStream): Controls {
  const segments = segment(words, speaker, random);
  const steps = segments.reduce((sum, part) => sum + part.steps, 0);
  const controls: Controls = {
    steps,
    formants: new Float64Array(3 * steps),
    bandwidths: new Float64Array(3 * steps),
    voicing: new Float64Array(steps),
    aspiration: new Float64Array(steps),
    frication: new Float64Array(steps),
    noise: new Float64Array(2 * steps),
    pitchHz: new Float64Array(steps),
  };
  setTargets(controls, segments, speaker);
  const slow = speaker.sluggishnessMs / CONTROL_MS;
  for (let k = 0; k < 3; k++) {
    follow(controls.formants, k, 3, slow);
    follow(controls.bandwidths, k, 3, slow);
  }
  follow(controls.voicing, 0, 1, 1);
  follow(controls.aspiration, 0, 1, 1);
  follow(controls.frication, 0, 1, 0.6);
  setPitch(controls, segments, words.length, speaker, random);
  return controls;
}

function segment(words: readonly DigitWord[], speaker: Speaker, random: RandomStream): Segment[] {
  const segments: Segment[] = [];
  const add = (name: PhonemeName, durationMs: number, word: number) =>
    segments.push({ name, word, steps: Math.max(2, Math.round(durationMs / CONTROL_MS)) });
  add('SIL', 40 + 80 * random.uniform(), -1);
  words.forEach((word, index) => {
    if (index > 0) add('SIL', 20 + 130 * random.uniform(), -1);
    const variants = LEXICON[word];
    const stretch = speaker.tempo * (0.88 + 0.24 * random.uniform());
    for (const name of variants[speaker.pronunciation % variants.length])
      add(name, PHONEMES[name].durationMs * stretch * (0.75 + 0.5 * random.uniform()), index);
  });
  add('SIL', 40 + 80 * random.uniform(), -1);
  return segments;
}

function setTargets(controls: Controls, segments: readonly Segment[], speaker: Speaker): void {
  let step = 0;
  let noise: readonly [number, number] = PHONEMES.F.noise;
  for (const { name, steps } of segments) {
    const phoneme = PHONEMES[name];
    const accent = speaker.accent[name];
    if (phoneme.frication > 0) noise = phoneme.noise;
    for (const end = step + steps; step < end; step++) {
      for (let k = 0; k < 3; k++) {
        const scale = speaker.tractScale * speaker.formantScale[k] * (k < 2 ? accent[k] : 1);
        controls.formants[3 * step + k] = phoneme.formants[k] * scale;
        controls.bandwidths[3 * step + k] = phoneme.bandwidths[k];
      }
      controls.voicing[step] = phoneme.voicing;
      controls.aspiration[step] = phoneme.aspiration;
      controls.frication[step] = phoneme.frication * speaker.frication;
      // Frication is made in front of the constriction, so vocal-tract length moves it less than formants.
      controls.noise[2 * step] = Math.min(3800, noise[0] * Math.sqrt(speaker.tractScale));
      controls.noise[2 * step + 1] = noise[1];
    }
  }
}

/**
 * Low-passes one track in place by a one-pole filter of `constant` steps run forward and then backward: no delay, and
 * each sound colours both neighbours.
 */
function follow(track: Float64Array, offset: number, stride: number, constant: number): void {
  const gain = 1 - Math.exp(-1 / constant);
  let value = track[offset];
  for (let i = offset; i < track.length; i += stride) {
    value += gain * (track[i] - value);
    track[i] = value;
  }
  for (let i = track.length - stride + offset; i >= offset; i -= stride) {
    value += gain * (track[i] - value);
    track[i] = value;
  }
}

/** The pitch falls over the utterance; each word adds a hump of random height, the last one an ending that rises or falls. */
function setPitch(
  { pitchHz, steps }: Controls,
  segments: readonly Segment[],
  words: number,
  speaker: Speaker,
  random: RandomStream,
): void {
  const fall = speaker.intonation * (0.5 + random.uniform());
  const ending = speaker.intonation * (random.uniform() - 0.6);
  for (let step = 0; step < steps; step++) pitchHz[step] = fall * (0.5 - step / steps);
  for (let word = 0; word < words; word++) {
    const accent = speaker.intonation * (0.3 + 0.9 * random.uniform());
    const before = segments.findIndex((part) => part.word === word);
    const start = segments.slice(0, before).reduce((sum, part) => sum + part.steps, 0);
    const length = segments.reduce((sum, part) => sum + (part.word === word ? part.steps : 0), 0);
    for (let i = 0; i < length; i++) {
      const within = i / length;
      pitchHz[start + i] += accent * Math.sin(Math.PI * within) + (word === words - 1 ? ending * within : 0);
    }
  }
  for (let step = 0; step < steps; step++) pitchHz[step] = speaker.pitchHz * 2 ** (pitchHz[step] / 12);
}
