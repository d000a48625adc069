import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { ProtocolError } from '../../errors.ts';
import { CHUNK_BYTES, PayloadAssembler, splitPayload } from '../../proto/chunks.ts';

function payload(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

const anySize = () => new PayloadAssembler('test', () => true);

describe('splitPayload', () => {
  test.each([
    [0, 1],
    [1, 1],
    [CHUNK_BYTES, 1],
    [CHUNK_BYTES + 1, 2],
    [3 * CHUNK_BYTES, 3],
  ])('a payload of %i bytes makes %i chunks', (size, count) => {
    const chunks = splitPayload(payload(size));
    expect(chunks.map(({ index }) => index)).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(chunks.every(({ data, totalBytes }) => data.byteLength <= CHUNK_BYTES && totalBytes === size)).toBe(true);
  });

  test('chunks are views, and only the first carries the digest', () => {
    const bytes = payload(CHUNK_BYTES + 5);
    const [first, second] = splitPayload(bytes);
    expect(first.data.buffer).toBe(bytes.buffer);
    expect(Buffer.from(first.sha256).toString('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(second.sha256).toHaveLength(0);
  });
});

describe('PayloadAssembler', () => {
  test.each([0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7])('joins %i bytes again', (size) => {
    const bytes = payload(size);
    const assembler = anySize();
    const results = splitPayload(bytes).map((chunk) => assembler.add(chunk));
    const last = results.pop();
    expect(results.every((result) => result === undefined)).toBe(true);
    expect(Buffer.compare(last ?? new Uint8Array(1), bytes)).toBe(0);
    expect(last?.byteOffset).toBe(0);
  });

  test('takes one payload after another, and begins anew at chunk 0', () => {
    const assembler = anySize();
    const [first] = splitPayload(payload(CHUNK_BYTES + 1));
    expect(assembler.add(first)).toBeUndefined();
    const small = payload(10);
    expect(assembler.add(splitPayload(small)[0])).toEqual(small);
    expect(assembler.add(splitPayload(small)[0])).toEqual(small);
  });

  test('refuses damaged bytes', () => {
    const [chunk] = splitPayload(payload(100));
    const data = chunk.data.slice();
    data[50] ^= 1;
    expect(() => anySize().add({ ...chunk, data })).toThrow(/test: its SHA-256/);
  });

  test('refuses a missing digest', () => {
    const [chunk] = splitPayload(payload(100));
    expect(() => anySize().add({ ...chunk, sha256: new Uint8Array(0) })).toThrow(/SHA-256/);
  });

  test.each<[string, (chunks: ReturnType<typeof splitPayload>) => unknown[]]>([
    ['a chunk left out', ([a, , c]) => [a, c]],
    ['a chunk twice', ([a, b]) => [a, b, b]],
    ['a beginning in the middle', ([, b]) => [b]],
    ['another total size', ([a, b]) => [a, { ...b, totalBytes: b.totalBytes + 1 }]],
    ['an empty chunk', ([a, b]) => [a, { ...b, data: new Uint8Array(0) }]],
    ['too large a chunk', ([a]) => [{ ...a, data: new Uint8Array(CHUNK_BYTES + 1) }]],
    ['more than the total', ([a, b, c]) => [a, b, { ...c, data: new Uint8Array(c.data.length + 1) }]],
  ])('refuses %s', (_, damage) => {
    const assembler = anySize();
    const chunks = damage(splitPayload(payload(2 * CHUNK_BYTES + 9))) as ReturnType<typeof splitPayload>;
    expect(() => {
      for (const chunk of chunks) assembler.add(chunk);
    }).toThrow(ProtocolError);
  });

  test('asks whether the size may come before it takes memory', () => {
    const [chunk] = splitPayload(payload(4));
    const assembler = new PayloadAssembler('test', (totalBytes) => totalBytes === 8);
    expect(() => assembler.add(chunk)).toThrow(/a size of 4 bytes is not what is due/);
    expect(() => assembler.add({ ...chunk, totalBytes: 1e15 })).toThrow(ProtocolError);
    expect(() => anySize().add({ ...chunk, totalBytes: 2 ** 54 })).toThrow(ProtocolError);
  });
});
