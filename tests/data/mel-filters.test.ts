import { describe, expect, test } from '@jest/globals';
import { fftSizeFor, hertzToMel, melFilters, melToHertz } from '../../data/mel-filters.ts';
import { ConfigError } from '../../errors.ts';

describe('the mel scale', () => {
  test('maps 1000 Hz to 1000 mel and back', () => {
    expect(hertzToMel(1000)).toBeCloseTo(1000, 1);
    expect(hertzToMel(0)).toBe(0);
    for (const hertz of [1, 99, 700, 3999]) expect(melToHertz(hertzToMel(hertz))).toBeCloseTo(hertz, 8);
  });
});

describe('mel filters', () => {
  test('share every bin between the first and the last centre without loss', () => {
    const filters = melFilters(30, 512, 8000, 100, 3800);
    const total = new Float64Array(257);
    for (const { firstBin, weights } of filters) {
      for (let i = 0; i < weights.length; i++) total[firstBin + i] += weights[i];
    }
    const spacing = (hertzToMel(3800) - hertzToMel(100)) / 31;
    const first = melToHertz(hertzToMel(100) + spacing);
    const last = melToHertz(hertzToMel(3800) - spacing);
    for (let bin = 0; bin <= 256; bin++) {
      const hertz = (bin * 8000) / 512;
      if (hertz >= first && hertz <= last) expect(total[bin]).toBeCloseTo(1, 10);
      if (hertz <= 100 || hertz >= 3800) expect(total[bin]).toBe(0);
    }
  });

  test('are never empty at the default 80 filters and 8 kHz', () => {
    const { fftSize, filters } = fftSizeFor(80, 200, 8000, 20, 4000);
    expect(fftSize).toBe(256);
    expect(filters).toHaveLength(80);
    for (const { weights } of filters) expect(Math.max(...weights)).toBeGreaterThanOrEqual(0.1);
  });

  test('get a larger FFT when the window alone would leave some without a bin', () => {
    expect(melFilters(128, 256, 8000, 20, 4000).some(({ weights }) => weights.length === 0)).toBe(true);
    const { fftSize, filters } = fftSizeFor(128, 200, 8000, 20, 4000);
    expect(fftSize).toBeGreaterThan(256);
    for (const { weights } of filters) expect(weights.length).toBeGreaterThan(0);
  });

  test('refuse a range too narrow for the number of filters', () => {
    expect(() => fftSizeFor(256, 200, 8000, 1000, 1001)).toThrow(ConfigError);
  });
});
