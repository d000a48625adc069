/** Acoustic targets of one speech sound, for an adult voice with a vocal-tract scale of 1. */
export interface Phoneme {
  /** First three formants and their bandwidths in Hz. */
  readonly formants: readonly [number, number, number];
  readonly bandwidths: readonly [number, number, number];
  /** Strength of the glottal pulses, of breath noise through the vocal tract, and of frication noise; a full vowel is 1. */
  readonly voicing: number;
  readonly aspiration: number;
  readonly frication: number;
  /** Frication noise: centre and bandwidth in Hz. */
  readonly noise: readonly [number, number];
  readonly durationMs: number;
}

type Formants = readonly [number, number, number];

function vowel(formants: Formants, durationMs: number): Phoneme {
  return {
    formants,
    bandwidths: [70, 100, 160],
    voicing: 1,
    aspiration: 0,
    frication: 0,
    noise: [2500, 2000],
    durationMs,
  };
}

/** Nasals and approximants: voiced, weaker than vowels, formants damped. */
function sonorant(formants: Formants, bandwidths: Formants, voicing: number, durationMs: number): Phoneme {
  return { ...vowel(formants, durationMs), bandwidths, voicing };
}

function fricative(
  formants: Formants,
  noise: readonly [number, number],
  frication: number,
  voicing: number,
  durationMs: number,
): Phoneme {
  return { ...vowel(formants, durationMs), bandwidths: [120, 160, 220], voicing, frication, noise };
}

/** A stop's closure is silence with the stop's formant locus; the burst is a short puff of noise. */
function closure(formants: Formants, durationMs: number): Phoneme {
  return { ...vowel(formants, durationMs), voicing: 0 };
}

/**
 * The sounds of the English digits. Vowel formants follow Peterson & Barney (1952), consonants Klatt (1980), with frication
 * moved below 4 kHz. Diphthongs are two entries. Names are ARPABET.
 */
export const PHONEMES = {
  SIL: closure([500, 1500, 2500], 60),
  IY: vowel([280, 2250, 2950], 150),
  IH: vowel([400, 1950, 2550], 90),
  EH: vowel([540, 1820, 2480], 110),
  AH: vowel([640, 1200, 2400], 130),
  AX: vowel([480, 1450, 2450], 60),
  AO: vowel([570, 860, 2400], 150),
  UW: vowel([310, 980, 2240], 180),
  OW1: vowel([520, 1000, 2350], 90),
  OW2: vowel([380, 820, 2300], 110),
  AY1: vowel([720, 1220, 2480], 120),
  AY2: vowel([380, 1980, 2600], 90),
  EY1: vowel([490, 1900, 2520], 90),
  EY2: vowel([330, 2180, 2700], 90),
  R: sonorant([330, 1080, 1500], [80, 110, 150], 0.8, 80),
  W: sonorant([290, 640, 2180], [80, 100, 160], 0.7, 75),
  N: sonorant([260, 1350, 2450], [90, 300, 300], 0.55, 85),
  V: fricative([240, 1100, 2100], [2200, 2800], 0.06, 0.4, 65),
  Z: fricative([250, 1450, 2500], [3650, 700], 0.25, 0.35, 90),
  F: fricative([340, 1100, 2100], [2300, 3000], 0.09, 0, 105),
  TH: fricative([320, 1300, 2500], [2900, 1600], 0.1, 0, 90),
  S: fricative([320, 1450, 2530], [3700, 600], 0.45, 0, 115),
  TCL: closure([330, 1700, 2600], 50),
  T: fricative([350, 1750, 2600], [3300, 900], 0.45, 0, 22),
  KCL: closure([300, 1900, 2500], 50),
  K: fricative([320, 1900, 2450], [1900, 400], 0.35, 0, 25),
  HH: { ...vowel([420, 1300, 2400], 35), voicing: 0, aspiration: 0.35 },
} as const satisfies Record<string, Phoneme>;

export type PhonemeName = keyof typeof PHONEMES;
export const PHONEME_NAMES = Object.keys(PHONEMES) as readonly PhonemeName[];
