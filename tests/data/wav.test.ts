import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readWav } from '../../data/wav.ts';
import { DataError } from '../../errors.ts';
import { wavBytes } from './wav-bytes.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dpfl-wav-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

describe('readWav', () => {
  test('scales 16-bit samples to −1 … 1', () => {
    const path = file('good.wav', wavBytes([0, 16384, -32768, 32767, -1]));
    expect([...readWav(path, 8000)]).toEqual([0, 0.5, -1, 32767 / 32768, -1 / 32768]);
  });

  test('skips chunks it does not need', () => {
    const plain = wavBytes([1, 2, 3]);
    const extra = Buffer.from('LIST\x04\x00\x00\x00INFO', 'latin1');
    const bytes = Buffer.concat([plain.subarray(0, 36), extra, plain.subarray(36)]);
    bytes.writeUInt32LE(bytes.length - 8, 4);
    expect(readWav(file('list.wav', bytes), 8000)).toHaveLength(3);
  });

  const whole = wavBytes(Array.from({ length: 100 }, (_, i) => i));
  test.each([
    ['nothing.wav', whole.subarray(0, 0), /cannot be read as WAV/],
    ['header.wav', whole.subarray(0, 30), /cannot be read as WAV/],
    ['text.wav', Buffer.from('not a sound at all, not a sound at all, not a sound'), /cannot be read as WAV/],
    ['no-audio.wav', whole.subarray(0, 44), /truncated, 0 of 200 bytes/],
    ['half.wav', whole.subarray(0, 144), /truncated, 100 of 200 bytes/],
    ['odd.wav', whole.subarray(0, 243), /truncated, 199 of 200 bytes/],
    ['empty.wav', wavBytes([]), /holds 0 bytes of audio/],
    ['stereo.wav', wavBytes([1, 2], { channels: 2 }), /has 2 channels; convert it to mono/],
    ['rate.wav', wavBytes([1, 2], { rate: 16000 }), /sampled at 16000 Hz, expected 8000/],
    ['bits.wav', wavBytes([1, 2], { bits: 8 }), /with 8 bits; convert it to 16-bit PCM/],
    ['float.wav', wavBytes([1, 2], { format: 3 }), /WAV format 3 with 16 bits/],
  ])('%s is refused by name', (name, bytes, message) => {
    const path = file(name, bytes);
    expect(() => readWav(path, 8000)).toThrow(DataError);
    expect(() => readWav(path, 8000)).toThrow(message);
    expect(() => readWav(path, 8000)).toThrow(path);
  });

  test('a missing file is refused by name', () => {
    expect(() => readWav(join(folder, 'absent.wav'), 8000)).toThrow(/absent\.wav: cannot be read/);
  });
});
