import type { RandomStream } from '../../random/stream.ts';
import { PHONEME_NAMES, type PhonemeName } from './phonemes.ts';

/** What makes a voice: constant over all utterances of one user. */
export interface Speaker {
  /** Median pitch in Hz and the height of its movements in semitones. */
  readonly pitchHz: number;
  readonly intonation: number;
  /** Relative random change from one glottal period to the next, in length and in strength. */
  readonly jitter: number;
  readonly shimmer: number;
  /** Fraction of the period with open glottis, and the one-pole low-pass that sets how dull the voice is (0 = bright). */
  readonly openQuotient: number;
  readonly tilt: number;
  readonly breathiness: number;
  /** Multiplier of all formants (a short vocal tract has high ones), and further multipliers of F1, F2, F3. */
  readonly tractScale: number;
  readonly formantScale: readonly [number, number, number];
  /** Accent: multipliers of F1 and F2 of each sound, and which listed pronunciation is used. */
  readonly accent: Readonly<Record<PhonemeName, readonly [number, number]>>;
  readonly pronunciation: number;
  /** Multiplier of durations, and the time constant in ms with which formants follow their targets. */
  readonly tempo: number;
  readonly sluggishnessMs: number;
  /** Multiplier of frication noise. */
  readonly frication: number;
  /** Recording: level of the speech in dB below full scale, signal-to-noise ratio in dB, colour of noise and microphone. */
  readonly levelDb: number;
  readonly snrDb: number;
  readonly noiseColour: number;
  readonly microphone: number;
}

/** Draws a voice. Pitch and vocal-tract length go together, as they do from men to children. */
export function drawSpeaker(random: RandomStream): Speaker {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  // The sum of two draws prefers the middle of the range.
  const around = (low: number, high: number) => 0.5 * (between(low, high) + between(low, high));
  const size = random.uniform();
  const accent = {} as Record<PhonemeName, readonly [number, number]>;
  const pitchHz = 90 * 2 ** (1.25 * size) * around(0.85, 1.15);
  const tractScale = clamp(0.9 + 0.24 * size + around(-0.06, 0.06), 0.85, 1.2);
  for (const name of PHONEME_NAMES) accent[name] = [around(0.8, 1.25), around(0.82, 1.22)];
  return {
    pitchHz,
    intonation: between(0.5, 4),
    jitter: between(0.003, 0.02),
    shimmer: between(0.02, 0.12),
    openQuotient: between(0.45, 0.75),
    tilt: between(0, 0.75),
    breathiness: between(0.01, 0.3),
    tractScale,
    formantScale: [around(0.88, 1.14), around(0.88, 1.14), around(0.92, 1.09)],
    accent,
    pronunciation: random.integer(1 << 16),
    tempo: around(0.75, 1.45),
    sluggishnessMs: between(10, 32),
    frication: 2 ** between(-1.5, 1.2),
    levelDb: between(-32, -18),
    snrDb: around(4, 34),
    noiseColour: between(0, 0.9),
    microphone: between(-0.5, 0.85),
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
