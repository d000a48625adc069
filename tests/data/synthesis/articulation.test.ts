import { describe, expect, test } from '@jest/globals';
import { articulate, CONTROL_MS } from '../../../data/synthesis/articulation.ts';
import { LEXICON } from '../../../data/synthesis/lexicon.ts';
import { drawSpeaker } from '../../../data/synthesis/speaker.ts';
import { DIGIT_WORDS } from '../../../data/text.ts';
import { namedStream } from '../../../random/stream.ts';

const stream = (key: number) => namedStream(2, 'test-articulation', key);

describe('articulate', () => {
  test('every track is finite and in the range of a human voice', () => {
    for (let key = 0; key < 50; key++) {
      const controls = articulate([...DIGIT_WORDS], drawSpeaker(stream(key)), stream(1000 + key));
      const within = (track: Float64Array, low: number, high: number) => {
        for (const value of track) {
          if (!(value >= low && value <= high)) throw new Error(`speaker ${key}: ${value} is outside ${low} … ${high}`);
        }
      };
      within(controls.pitchHz, 50, 500);
      within(controls.formants, 120, 5000);
      within(controls.bandwidths, 40, 400);
      within(controls.voicing, 0, 1);
      within(controls.aspiration, 0, 1);
      within(controls.frication, 0, 2);
      within(controls.noise, 400, 3900);
    }
  });

  test('one word takes 150 to 1500 ms, and more words take longer', () => {
    const speaker = drawSpeaker(stream(1));
    const lengths = [1, 2, 4].map((n) => articulate(DIGIT_WORDS.slice(0, n), speaker, stream(2)).steps * CONTROL_MS);
    expect(lengths[0]).toBeGreaterThan(150);
    expect(lengths[0]).toBeLessThan(1500);
    expect(lengths[1]).toBeGreaterThan(lengths[0]);
    expect(lengths[2]).toBeGreaterThan(lengths[1]);
  });

  test('formants move smoothly: no jump from one control step to the next', () => {
    const { formants, steps } = articulate(
      ['six', 'two'],
      { ...drawSpeaker(stream(3)), sluggishnessMs: 20 },
      stream(4),
    );
    let largest = 0;
    for (let step = 1; step < steps; step++)
      largest = Math.max(largest, Math.abs(formants[3 * step + 1] - formants[3 * step - 2]));
    expect(largest).toBeLessThan(200);
    expect(largest).toBeGreaterThan(10);
  });

  test('no two words share a pronunciation', () => {
    const all = Object.values(LEXICON).flat();
    expect(new Set(all.map((sounds) => sounds.join(' '))).size).toBe(all.length);
  });
});
