import { describe, expect, test } from '@jest/globals';
import type { Controls } from '../../../data/synthesis/articulation.ts';
import { drawSpeaker } from '../../../data/synthesis/speaker.ts';
import { vocalise } from '../../../data/synthesis/vocal-tract.ts';
import { namedStream } from '../../../random/stream.ts';

const SPEAKER = {
  ...drawSpeaker(namedStream(1, 'test-speaker')),
  jitter: 0,
  shimmer: 0,
  breathiness: 0,
  tractScale: 1,
  tilt: 0.3,
  openQuotient: 0.6,
};

/** One second of one steady sound. */
function steady(
  parts: Partial<Record<'voicing' | 'aspiration' | 'frication' | 'pitch' | 'f1' | 'noise', number>>,
): Float32Array {
  const steps = 200;
  const constant = (...values: number[]) =>
    Float64Array.from({ length: steps * values.length }, (_, i) => values[i % values.length]);
  const controls: Controls = {
    steps,
    formants: constant(parts.f1 ?? 500, 1500, 2500),
    bandwidths: constant(70, 100, 160),
    voicing: constant(parts.voicing ?? 0),
    aspiration: constant(parts.aspiration ?? 0),
    frication: constant(parts.frication ?? 0),
    noise: constant(parts.noise ?? 2500, 400),
    pitchHz: constant(parts.pitch ?? 100),
  };
  return vocalise(controls, SPEAKER, namedStream(1, 'test-voice')).subarray(800);
}

/** Power at a frequency: squared outputs of Goertzel's recursion, averaged over blocks of 50 ms. */
function powerAt(audio: Float32Array, hertz: number): number {
  const feedback = 2 * Math.cos((2 * Math.PI * hertz) / 8000);
  let total = 0;
  for (let start = 0; start + 400 <= audio.length; start += 400) {
    let [last, before] = [0, 0];
    for (let n = start; n < start + 400; n++) [last, before] = [audio[n] + feedback * last - before, last];
    total += last * last + before * before - feedback * last * before;
  }
  return total;
}

function strongest(audio: Float32Array, from: number, to: number): number {
  const hertz = Array.from({ length: (to - from) / 20 + 1 }, (_, i) => from + 20 * i);
  const powers = hertz.map((frequency) => powerAt(audio, frequency));
  return hertz[powers.indexOf(Math.max(...powers))];
}

describe('vocalise', () => {
  test.each([80, 125, 250])('voice repeats at its pitch of %d Hz', (pitch) => {
    const audio = steady({ voicing: 1, pitch });
    const autocorrelation = (lag: number) => {
      let sum = 0;
      for (let n = 0; n + lag < audio.length; n++) sum += audio[n] * audio[n + lag];
      return sum;
    };
    const values = Array.from({ length: 101 }, (_, i) => autocorrelation(20 + i));
    expect(20 + values.indexOf(Math.max(...values))).toBe(8000 / pitch);
  });

  test.each([300, 500, 700])('whispered sound is strongest at its first formant, %d Hz', (f1) => {
    expect(Math.abs(strongest(steady({ aspiration: 1, f1 }), 100, 1200) - f1)).toBeLessThanOrEqual(60);
  });

  test.each([1900, 3300])('frication is strongest at %d Hz and has the stated level', (noise) => {
    const audio = steady({ frication: 0.5, noise });
    expect(Math.abs(strongest(audio, 200, 3900) - noise)).toBeLessThanOrEqual(200);
    const rms = Math.sqrt(audio.reduce((sum, x) => sum + x * x, 0) / audio.length);
    expect(rms / 0.5).toBeCloseTo(1, 0.7);
  });

  test('no source, no sound', () => {
    expect(steady({}).every((x) => x === 0)).toBe(true);
  });
});
