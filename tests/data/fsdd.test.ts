import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fsddConfig } from '../../data/config.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { Fsdd } from '../../data/fsdd.ts';
import { DIGIT_ALPHABET, DIGIT_WORDS, decodeText } from '../../data/text.ts';
import { ConfigError, DataError } from '../../errors.ts';
import { dataPath, testWith } from './shared-data.ts';
import { wavBytes } from './wav-bytes.ts';

function open(path: string, settings: object = {}): Fsdd {
  return new Fsdd(fsddConfig.parse({ kind: 'fsdd', path, features: { filters: 24 }, ...settings }));
}

function wordCounts(batch: ExampleBatch): number[] {
  const { targets, target_lengths: lengths } = batch.fields;
  const words: readonly string[] = DIGIT_WORDS;
  const counts = words.map(() => 0);
  for (let row = 0; row < batch.count; row++) {
    const start = row * targets.dims[1];
    const word = decodeText(targets.data.subarray(start, start + lengths.data[row]), DIGIT_ALPHABET);
    counts[words.indexOf(word)]++;
  }
  return counts;
}

describe('Fsdd on a small folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dpfl-fsdd-'));
    // Two speakers, two digits, takes 0-7; the number of samples tells recordings apart.
    for (const [s, speaker] of ['bea', 'al'].entries())
      for (const digit of [3, 9])
        for (let take = 0; take < 8; take++)
          add(`${digit}_${speaker}_${take}.wav`, 1000 + 80 * (16 * s + take + digit));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function add(name: string, samples: number): void {
    const wave = Array.from({ length: samples }, (_, i) => Math.round(9000 * Math.sin(i / 7)));
    writeFileSync(join(folder, name), wavBytes(wave));
  }
  const frames = (batch: ExampleBatch) => [...batch.fields.lengths.data];
  const expected = (speaker: 'al' | 'bea', take: number, digit: number) =>
    11 + (speaker === 'al' ? 16 : 0) + take + digit;

  test('users are a speaker and a block of takes; the last block may be short', () => {
    const data = open(folder, { heldOutTakes: 2, takesPerUser: 4 });
    expect(data.population).toBe(4);
    expect(frames(data.client(0))).toEqual(
      [2, 3, 4, 5].flatMap((take) => [expected('al', take, 3), expected('al', take, 9)]),
    );
    expect(frames(data.client(1))).toEqual(
      [6, 7].flatMap((take) => [expected('al', take, 3), expected('al', take, 9)]),
    );
    expect(frames(data.client(2))[0]).toBe(expected('bea', 2, 3));
    expect(wordCounts(data.client(3))).toEqual([0, 0, 0, 2, 0, 0, 0, 0, 0, 2]);
    expect(frames(data.evaluation())).toEqual(
      (['al', 'bea'] as const).flatMap((speaker) =>
        [0, 1].flatMap((take) => [expected(speaker, take, 3), expected(speaker, take, 9)]),
      ),
    );
    expect(data.description).toContain('24 recordings of 2 speakers as 4 users');
  });

  test('settings that do not fit the data are refused', () => {
    expect(() => open(folder, { heldOutTakes: 8 })).toThrow(ConfigError);
    expect(() => open(folder, { heldOutTakes: 8 })).toThrow(/leaves 0 training and 32 held-out recordings/);
    expect(open(folder, { heldOutTakes: 2, takesPerUser: 3, population: 4 }).population).toBe(4);
    expect(() => open(folder, { heldOutTakes: 2, takesPerUser: 3, population: 3 })).toThrow(/3 is fewer than the 4/);
    expect(() => open(folder, { heldOutTakes: 2, takesPerUser: 3, population: 5 })).toThrow(/5 is more than the 4/);
    expect(() => open(folder, { features: { sampleRate: 16000 } })).toThrow(/sampled at 8000 Hz, expected 16000/);
  });

  test('a file off the name pattern or cut short is refused by name', () => {
    add('10_al_3.wav', 900);
    expect(() => open(folder)).toThrow(/10_al_3\.wav: is not named/);
    rmSync(join(folder, '10_al_3.wav'));
    writeFileSync(join(folder, '3_al_6.wav'), wavBytes([1, 2, 3, 4]).subarray(0, 46));
    expect(() => open(folder)).toThrow(/3_al_6\.wav: is truncated/);
  });

  test('a missing folder and one without recordings are refused by name', () => {
    expect(() => open(join(folder, 'nowhere'))).toThrow(DataError);
    const empty = mkdtempSync(join(tmpdir(), 'dpfl-empty-'));
    expect(() => open(empty)).toThrow(/holds no WAV files/);
    rmSync(empty, { recursive: true });
  });
});

describe('Fsdd on the real recordings', () => {
  const path = dataPath('fsdd', 'recordings');
  testWith(path)('1800 training and 200 held-out recordings, all digits for all users', () => {
    const data = open(path);
    expect(data.population).toBe(36);
    const counts = Array.from({ length: 36 }, (_, id) => wordCounts(data.client(id)));
    for (const user of counts) expect(user).toEqual(DIGIT_WORDS.map(() => 5));
    expect(wordCounts(data.evaluation())).toEqual(DIGIT_WORDS.map(() => 20));
    expect(data.description).toContain('1800 recordings of 4 speakers as 36 users');
    expect(data.client(3)).toEqual(data.client(3));
    expect(open(dirname(path)).client(3)).toEqual(data.client(3));
    expect([...data.evaluation().fields.features.data].every(Number.isFinite)).toBe(true);
  });
});
