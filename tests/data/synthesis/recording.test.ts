import { describe, expect, test } from '@jest/globals';
import { record } from '../../../data/synthesis/recording.ts';
import { drawSpeaker } from '../../../data/synthesis/speaker.ts';
import { namedStream } from '../../../random/stream.ts';

const voice = drawSpeaker(namedStream(1, 'test-speaker'));
const rms = (audio: Float32Array) => Math.sqrt(audio.reduce((sum, x) => sum + x * x, 0) / audio.length);
const tone = () => Float32Array.from({ length: 40_000 }, (_, i) => 3 * Math.sin(i / 5));

describe('record', () => {
  test('puts speech at the stated level', () => {
    const audio = tone();
    record(audio, { ...voice, levelDb: -20, snrDb: 100, microphone: 0.4 }, namedStream(1, 'test'));
    expect(rms(audio)).toBeCloseTo(0.1, 5);
  });

  test.each([0, 0.5, 0.9])('adds noise at the stated ratio, colour %d', (noiseColour) => {
    const noisy = tone();
    const clean = tone();
    const speaker = { ...voice, levelDb: -20, microphone: 0, noiseColour };
    record(noisy, { ...speaker, snrDb: 20 }, namedStream(2, 'test'));
    record(clean, { ...speaker, snrDb: 200 }, namedStream(2, 'test'));
    const noise = noisy.map((x, i) => x - clean[i]);
    expect(20 * Math.log10(rms(clean) / rms(noise))).toBeCloseTo(20, 0);
    // Neighbouring samples correlate as the colour says.
    let correlation = 0;
    for (let i = 1; i < noise.length; i++) correlation += noise[i] * noise[i - 1];
    expect(correlation / noise.length / rms(noise) ** 2).toBeCloseTo(noiseColour, 1);
  });

  test('silence stays finite', () => {
    const audio = new Float32Array(100);
    record(audio, voice, namedStream(3, 'test'));
    expect([...audio].every(Number.isFinite)).toBe(true);
  });
});
