import FFT from 'fft.js';
import type { FeaturesConfig } from './config.ts';
import { fftSizeFor } from './mel-filters.ts';

/** Filter energies below this are raised to it: roughly the quantisation noise of 16-bit audio in one filter. */
const ENERGY_FLOOR = 1e-8;

/**
 * Log-mel filterbank features (arXiv:2310.00098 §5: 80 coefficients, 25 ms window, 10 ms hop): periodic Hann window,
 * zero-padded real FFT (fft.js), power spectrum, HTK mel triangles, natural logarithm.
 * Everything that depends only on the settings is computed once; extracting allocates only the result.
 */
export class LogMelExtractor {
  readonly filters: number;
  readonly fftSize: number;
  /** Window and hop in samples. */
  readonly window: number;
  readonly hop: number;

  readonly #fft: InstanceType<typeof FFT>;
  readonly #taper: Float64Array;
  readonly #frame: Float64Array;
  readonly #spectrum: Float64Array;
  readonly #power: Float64Array;
  readonly #preemphasis: number;
  /** The sparse filter matrix, filter after filter: bins firstBin[f] …, weights[start[f]] … weights[start[f + 1] − 1]. */
  readonly #firstBin: Int32Array;
  readonly #start: Int32Array;
  readonly #weights: Float64Array;

  constructor({ sampleRate, windowMs, hopMs, filters, lowHz, highHz, preemphasis }: FeaturesConfig) {
    this.filters = filters;
    this.window = Math.round((sampleRate * windowMs) / 1000);
    this.hop = Math.round((sampleRate * hopMs) / 1000);
    const mel = fftSizeFor(filters, this.window, sampleRate, lowHz, highHz ?? sampleRate / 2);
    this.fftSize = mel.fftSize;
    this.#fft = new FFT(this.fftSize);
    this.#taper = Float64Array.from(
      { length: this.window },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / this.window),
    );
    this.#frame = new Float64Array(this.fftSize);
    this.#spectrum = new Float64Array(2 * this.fftSize);
    this.#power = new Float64Array(this.fftSize / 2 + 1);
    this.#preemphasis = preemphasis;
    this.#firstBin = Int32Array.from(mel.filters, ({ firstBin }) => firstBin);
    this.#start = new Int32Array(filters + 1);
    mel.filters.forEach(({ weights }, f) => {
      this.#start[f + 1] = this.#start[f] + weights.length;
    });
    this.#weights = Float64Array.from(mel.filters.flatMap(({ weights }) => [...weights]));
  }

  /** Frames of an utterance: windows that fit entirely into it, at least one (a shorter utterance is padded with zeros). */
  frames(samples: number): number {
    return samples <= this.window ? 1 : 1 + Math.floor((samples - this.window) / this.hop);
  }

  /** Natural logarithms of the filter energies, [frames, filters] row-major. `audio` is in −1 … 1. */
  logEnergies(audio: Float32Array): Float32Array {
    const frames = this.frames(audio.length);
    const output = new Float32Array(frames * this.filters);
    for (let frame = 0; frame < frames; frame++) {
      this.#powerSpectrum(audio, frame * this.hop);
      this.#applyFilters(output, frame * this.filters);
    }
    return output;
  }

  /** The model's input: log energies normalised over the utterance, [frames, filters] row-major. */
  extract(audio: Float32Array): Float32Array {
    const features = this.logEnergies(audio);
    normaliseUtterance(features);
    return features;
  }

  #powerSpectrum(audio: Float32Array, offset: number): void {
    const frame = this.#frame;
    const taper = this.#taper;
    const preemphasis = this.#preemphasis;
    const available = Math.min(this.window, audio.length - offset);
    let previous = offset > 0 ? audio[offset - 1] : 0;
    for (let i = 0; i < available; i++) {
      const sample = audio[offset + i];
      frame[i] = taper[i] * (sample - preemphasis * previous);
      previous = sample;
    }
    frame.fill(0, available, this.window);
    const spectrum = this.#spectrum;
    this.#fft.realTransform(spectrum, frame);
    const power = this.#power;
    for (let bin = 0; bin < power.length; bin++) {
      const re = spectrum[2 * bin];
      const im = spectrum[2 * bin + 1];
      power[bin] = re * re + im * im;
    }
  }

  #applyFilters(output: Float32Array, offset: number): void {
    const power = this.#power;
    const weights = this.#weights;
    const start = this.#start;
    for (let filter = 0; filter < this.filters; filter++) {
      let energy = 0;
      const shift = this.#firstBin[filter] - start[filter];
      const end = start[filter + 1];
      for (let i = start[filter]; i < end; i++) energy += weights[i] * power[i + shift];
      output[offset + filter] = Math.log(Math.max(energy, ENERGY_FLOOR));
    }
  }
}

/**
 * Shifts and scales all values of one utterance, in place, to zero mean and unit variance ("per input",
 * arXiv:2310.00098 §5): one mean and one deviation for the whole utterance, not one for each filter. Filters keep their
 * levels relative to each other, which is much of what tells one short word from another: nearest-template recognition of
 * FSDD digits across speakers is right in 37 % with this normalisation and in 28 % with one for each filter.
 * Constant input becomes zeros.
 */
export function normaliseUtterance(features: Float32Array): void {
  let sum = 0;
  for (let i = 0; i < features.length; i++) sum += features[i];
  const mean = sum / features.length;
  let squares = 0;
  for (let i = 0; i < features.length; i++) squares += (features[i] - mean) ** 2;
  const deviation = Math.sqrt(squares / features.length);
  const scale = deviation > 1e-5 ? 1 / deviation : 0;
  for (let i = 0; i < features.length; i++) features[i] = (features[i] - mean) * scale;
}
