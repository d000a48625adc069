import { describe, expect, test } from '@jest/globals';
import { syntheticSpeechConfig } from '../../data/config.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { drawSpeaker } from '../../data/synthesis/speaker.ts';
import { SyntheticSpeech } from '../../data/synthetic-speech.ts';
import { DIGIT_ALPHABET, DIGIT_WORDS, decodeText } from '../../data/text.ts';
import { DataError } from '../../errors.ts';
import { namedStream } from '../../random/stream.ts';

function open(settings: object = {}, seed: number | string = 1): SyntheticSpeech {
  const config = {
    kind: 'synthetic-speech',
    evaluationSpeakers: 3,
    evaluationUtterances: 2,
    seedSpeakers: 2,
    features: { filters: 24 },
    ...settings,
  };
  return new SyntheticSpeech(syntheticSpeechConfig.parse(config), seed);
}

function transcriptions(batch: ExampleBatch): string[] {
  const { targets, target_lengths: lengths } = batch.fields;
  return Array.from({ length: batch.count }, (_, row) => {
    const start = row * targets.dims[1];
    return decodeText(targets.data.subarray(start, start + lengths.data[row]), DIGIT_ALPHABET);
  });
}

describe('SyntheticSpeech', () => {
  test('a user is one packed batch of normalised features and digit words', () => {
    const batch = open({ minWords: 2, maxWords: 3 }).client(5);
    expect(batch.count).toBe(4);
    const { features, lengths } = batch.fields;
    expect(features.dims).toEqual([4, Math.max(...lengths.data), 24]);
    for (const text of transcriptions(batch)) {
      const words = text.split(' ');
      expect(words.length).toBeGreaterThanOrEqual(2);
      expect(words.length).toBeLessThanOrEqual(3);
      for (const word of words) expect(DIGIT_WORDS).toContain(word);
    }
    for (let row = 0; row < 4; row++) {
      const start = row * features.dims[1] * 24;
      const values = features.data.slice(start, start + lengths.data[row] * 24);
      let sum = 0;
      for (const value of values) sum += value;
      expect(sum / values.length).toBeCloseTo(0, 4);
      const padding = features.data.slice(start + values.length, start + features.dims[1] * 24);
      expect([...padding].every((x) => x === 0)).toBe(true);
    }
  });

  test('the same user is the same in any order and in any process; seeds and users differ', () => {
    const data = open();
    const first = data.client(123_456);
    data.client(7);
    expect(data.client(123_456)).toEqual(first);
    expect(open().client(123_456)).toEqual(first);
    expect(open({ population: 2_000_000 }).client(123_456)).toEqual(first);
    expect(open({}, 2).client(123_456)).not.toEqual(first);
    expect(data.client(123_457)).not.toEqual(first);
    expect(open({}, 0).client(1)).not.toEqual(open({}, 1).client(1));
  });

  test('a population of any size costs nothing, and only its users exist', () => {
    const data = open({ population: 1e15 });
    expect(data.client(1e15 - 1).count).toBe(4);
    expect(() => data.client(1e15)).toThrow(DataError);
    expect(() => data.client(-1)).toThrow(/user -1 does not exist/);
  });

  test('evaluation and public speakers are neither users nor each other', () => {
    const data = open({ minWords: 4 });
    const evaluation = data.evaluation();
    expect(evaluation.count).toBe(6);
    const seed = data.seed?.();
    expect(seed?.count).toBe(16);
    const all = [evaluation, ...[0, 1, 2, 3].map((id) => data.client(id))].flatMap(transcriptions);
    const audio = (batch: ExampleBatch) => [...batch.fields.features.data.subarray(0, 240)];
    expect(audio(evaluation)).not.toEqual(audio(data.client(0)));
    expect(seed && audio(seed)).not.toEqual(audio(data.client(0)));
    expect(seed && audio(seed)).not.toEqual(audio(evaluation));
    expect(new Set(all).size).toBeGreaterThan(15);
  });

  test('without public speakers there is no seed data', () => {
    expect(open({ seedSpeakers: 0 }).seed).toBeUndefined();
  });

  test('CTC can align every transcription at a stride of 4 frames', () => {
    const data = open({ maxWords: 6 });
    for (let id = 0; id < 20; id++) {
      const batch = data.client(id);
      transcriptions(batch).forEach((text, row) => {
        const repeats = [...text].filter((character, i) => i > 0 && character === text[i - 1]).length;
        expect(Math.floor(batch.fields.lengths.data[row] / 4)).toBeGreaterThanOrEqual(text.length + repeats);
      });
    }
  });

  test('all words are said about equally often', () => {
    const data = open({ utterancesPerUser: 30, minWords: 6, maxWords: 6, features: { filters: 4, hopMs: 100 } });
    const words = [0, 1, 2].flatMap((id) => transcriptions(data.client(id)).flatMap((text) => text.split(' ')));
    expect(words).toHaveLength(540);
    // Binomial(540, 1/10): mean 54, deviation 7.
    for (const word of DIGIT_WORDS) {
      const count = words.filter((other) => other === word).length;
      expect(Math.abs(count - 54)).toBeLessThan(28);
    }
  });
});

test('voices spread over pitch, vocal-tract length and noise', () => {
  const voices = Array.from({ length: 300 }, (_, id) => drawSpeaker(namedStream(1, 'synthetic-user', id)));
  const range = (values: number[]) => [Math.min(...values), Math.max(...values)];
  const [lowPitch, highPitch] = range(voices.map((voice) => voice.pitchHz));
  expect(lowPitch).toBeLessThan(100);
  expect(highPitch).toBeGreaterThan(200);
  const [shortTract, longTract] = range(voices.map((voice) => voice.tractScale));
  expect(shortTract).toBeGreaterThanOrEqual(0.85);
  expect(longTract).toBeLessThanOrEqual(1.2);
  expect(longTract - shortTract).toBeGreaterThan(0.2);
  const [worst, best] = range(voices.map((voice) => voice.snrDb));
  expect(best - worst).toBeGreaterThan(15);
});
