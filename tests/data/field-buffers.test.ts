import { describe, expect, test } from '@jest/globals';
import { FieldBuffers } from '../../data/field-buffers.ts';

describe('memory for the fields of clients', () => {
  test('holds what was written until it is cleared, however much comes', () => {
    const buffers = new FieldBuffers();
    const written = [5, 1, 100, 3].map((length, i) => buffers.float32('x', length).fill(i));
    expect(written.map((values) => [values.length, new Set(values)])).toEqual([
      [5, new Set([0])],
      [1, new Set([1])],
      [100, new Set([2])],
      [3, new Set([3])],
    ]);
  });

  test('is used again, and has one place after the other', () => {
    const buffers = new FieldBuffers();
    const first = buffers.int32('y', 10);
    buffers.clear();
    const [a, b] = [buffers.int32('y', 4), buffers.int32('y', 6)];
    expect([a.buffer, b.buffer]).toEqual([first.buffer, first.buffer]);
    expect([a.byteOffset, a.length, b.byteOffset, b.length]).toEqual([0, 4, 16, 6]);
  });

  test('grows to what one longer client needs, and no further', () => {
    const buffers = new FieldBuffers();
    buffers.float32('x', 100);
    buffers.clear();
    expect(buffers.float32('x', 101).buffer.byteLength).toBe(404);
  });

  test('has room of its own for every field and type', () => {
    const buffers = new FieldBuffers();
    const all = [buffers.float32('x', 2), buffers.float32('y', 2), buffers.int32('x', 2)].map(({ buffer }) => buffer);
    expect(new Set(all).size).toBe(3);
  });

  test('grown by as many clients as are kept at once, it holds them in one piece', () => {
    const buffers = new FieldBuffers();
    const round = () => Array.from({ length: 8 }, () => buffers.float32('x', 50).buffer);
    for (let i = 0; i < 3; i++) {
      buffers.clear();
      round();
    }
    buffers.clear();
    expect(new Set(round()).size).toBe(1);
  });
});
