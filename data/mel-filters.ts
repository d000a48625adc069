import { ConfigError } from '../errors.ts';

/** Larger FFTs are never worth their time here. */
const MAX_FFT_SIZE = 16384;

/** Hertz to mel and back, the HTK formula: mel = 2595 log10(1 + f / 700). */
export function hertzToMel(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

export function melToHertz(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

/** One triangular filter as a run of weights on consecutive FFT bins. */
export interface MelFilter {
  readonly firstBin: number;
  readonly weights: Float64Array;
}

/**
 * HTK mel filters: triangles that are linear in mel, with centres equally spaced in mel between `lowHz` and `highHz`,
 * each reaching from its left neighbour's centre to its right neighbour's, peak 1.
 * A filter narrower than the bin spacing may have no bin at all; its weights are then empty.
 */
export function melFilters(
  count: number,
  fftSize: number,
  sampleRate: number,
  lowHz: number,
  highHz: number,
): MelFilter[] {
  const low = hertzToMel(lowHz);
  const spacing = (hertzToMel(highHz) - low) / (count + 1);
  const mels = Float64Array.from({ length: fftSize / 2 + 1 }, (_, bin) => hertzToMel((bin * sampleRate) / fftSize));
  const filters: MelFilter[] = [];
  for (let filter = 0; filter < count; filter++) {
    const centre = low + (filter + 1) * spacing;
    const weights: number[] = [];
    let firstBin = 0;
    for (let bin = 0; bin < mels.length; bin++) {
      const weight = 1 - Math.abs(mels[bin] - centre) / spacing;
      if (weight <= 0) continue;
      if (weights.length === 0) firstBin = bin;
      weights.push(weight);
    }
    filters.push({ firstBin, weights: Float64Array.from(weights) });
  }
  return filters;
}

/**
 * The smallest FFT size, a power of two of at least `window` samples, whose bins every filter can see with a weight of at
 * least a tenth of its peak. Narrow low filters need more bins than the window has: zero padding gives them.
 * @throws ConfigError when the filters are too narrow for any FFT of reasonable size
 */
export function fftSizeFor(
  count: number,
  window: number,
  sampleRate: number,
  lowHz: number,
  highHz: number,
): { fftSize: number; filters: MelFilter[] } {
  let fftSize = 2;
  while (fftSize < window) fftSize *= 2;
  for (;;) {
    const filters = melFilters(count, fftSize, sampleRate, lowHz, highHz);
    const starved = filters.some(({ weights }) => weights.every((weight) => weight < 0.1));
    if (!starved) return { fftSize, filters };
    fftSize *= 2;
    if (fftSize > MAX_FFT_SIZE) {
      throw new ConfigError(
        `data.features.filters: ${count} filters between ${lowHz} and ${highHz} Hz are narrower than an FFT of ${MAX_FFT_SIZE} points can tell apart; use fewer`,
      );
    }
  }
}
