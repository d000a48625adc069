import { describe, expect, test } from '@jest/globals';
import { featuresConfig } from '../../data/config.ts';
import { LogMelExtractor, normaliseUtterance } from '../../data/features.ts';
import { melToHertz } from '../../data/mel-filters.ts';
import { namedStream } from '../../random/stream.ts';

const RATE = 8000;

function extractor(settings: object = {}): LogMelExtractor {
  return new LogMelExtractor(featuresConfig.parse(settings));
}

function sine(hertz: number, samples: number, amplitude = 0.5): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / RATE));
}

function noise(samples: number): Float32Array {
  const random = namedStream(1, 'test-noise');
  return Float32Array.from({ length: samples }, () => random.uniform() - 0.5);
}

function largestDifference(a: Float32Array, b: ArrayLike<number>): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

/** Log filter energies of one frame straight from the definitions: DFT by its sum, triangles by their two slopes. */
function reference(frame: readonly number[], fftSize: number, filters: number, low: number, high: number): number[] {
  const windowed = frame.map((x, n) => x * Math.sin((Math.PI * n) / frame.length) ** 2);
  const power: number[] = [];
  for (let k = 0; k <= fftSize / 2; k++) {
    let re = 0;
    let im = 0;
    windowed.forEach((x, n) => {
      re += x * Math.cos((2 * Math.PI * k * n) / fftSize);
      im -= x * Math.sin((2 * Math.PI * k * n) / fftSize);
    });
    power.push(re ** 2 + im ** 2);
  }
  const mel = (f: number) => 1127.01048 * Math.log(1 + f / 700);
  const edge = (i: number) => mel(low) + (i * (mel(high) - mel(low))) / (filters + 1);
  return Array.from({ length: filters }, (_, f) => {
    const energy = power.reduce((sum, p, k) => {
      const m = mel((k * RATE) / fftSize);
      const rising = (m - edge(f)) / (edge(f + 1) - edge(f));
      const falling = (edge(f + 2) - m) / (edge(f + 2) - edge(f + 1));
      return sum + p * Math.max(0, Math.min(rising, falling));
    }, 0);
    return Math.log(Math.max(energy, 1e-8));
  });
}

describe('log-mel features', () => {
  test('agree with a naive DFT and independently written filters', () => {
    const audio = noise(440);
    for (const filters of [24, 80]) {
      const mel = extractor({ filters, lowHz: 50, highHz: 3900 });
      const values = mel.logEnergies(audio);
      expect(values).toHaveLength(4 * filters);
      for (const frame of [0, 3]) {
        const expected = reference([...audio.slice(frame * 80, frame * 80 + 200)], mel.fftSize, filters, 50, 3900);
        const row = values.subarray(frame * filters, (frame + 1) * filters);
        expect(largestDifference(row, expected)).toBeLessThan(1e-4);
      }
    }
  });

  test('pre-emphasis subtracts the previous sample, also across frames', () => {
    const audio = noise(280);
    const filtered = audio.map((x, i) => x - 0.97 * (i > 0 ? audio[i - 1] : 0));
    const emphasised = extractor({ preemphasis: 0.97 }).logEnergies(audio);
    expect(largestDifference(emphasised, extractor().logEnergies(filtered))).toBeLessThan(1e-3);
  });

  test('a pure tone lights the filter whose centre it is', () => {
    const filters = 40;
    const mel = extractor({ filters, lowHz: 0, highHz: 4000 });
    const top = 2595 * Math.log10(1 + 4000 / 700);
    for (const filter of [8, 17, 25, 38]) {
      const values = mel.logEnergies(sine(melToHertz(((filter + 1) * top) / (filters + 1)), 1000));
      for (let frame = 0; frame < mel.frames(1000); frame++) {
        const row = values.subarray(frame * filters, (frame + 1) * filters);
        expect(row.indexOf(Math.max(...row))).toBe(filter);
      }
    }
  });

  test('filter energies add up to the energy of the windowed signal (Parseval)', () => {
    const mel = extractor({ filters: 40 });
    const audio = sine(1000, 200);
    const energy = audio.reduce((sum, x, n) => sum + (x * Math.sin((Math.PI * n) / 200) ** 2) ** 2, 0);
    const total = mel.logEnergies(audio).reduce((sum, value) => sum + Math.exp(value), 0);
    expect(total / ((mel.fftSize / 2) * energy)).toBeCloseTo(1, 3);
  });

  test('a gain shifts all values alike and leaves normalised features as they were', () => {
    const mel = extractor({ filters: 24 });
    const audio = noise(2000);
    const loud = audio.map((x) => 2 * x);
    const shifted = mel.logEnergies(audio).map((value) => value + Math.log(4));
    expect(largestDifference(mel.logEnergies(loud), shifted)).toBeLessThan(1e-4);
    const expected = mel.extract(audio);
    expect(largestDifference(mel.extract(loud), expected)).toBeLessThan(1e-4);
  });

  test('number of frames', () => {
    const mel = extractor();
    expect([1, 200, 279, 280, 8000].map((samples) => mel.frames(samples))).toEqual([1, 1, 1, 2, 98]);
    expect(mel.extract(new Float32Array(50).fill(0.1))).toHaveLength(80);
  });

  test('an extractor carries nothing over from one utterance to the next', () => {
    const mel = extractor();
    const first = mel.extract(sine(440, 150));
    mel.extract(noise(3000));
    expect(mel.extract(sine(440, 150))).toEqual(first);
  });
});

describe('normaliseUtterance', () => {
  test('gives zero mean and unit variance over the whole utterance', () => {
    const values = extractor().logEnergies(noise(4000));
    normaliseUtterance(values);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(variance).toBeCloseTo(1, 5);
  });

  test('turns silence into zeros, not into NaN', () => {
    expect([...extractor().extract(new Float32Array(400))].every((x) => x === 0)).toBe(true);
  });
});
