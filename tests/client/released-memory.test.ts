import { setImmediate } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { release } from '../../client/released-memory.ts';

const mebibyte = 2 ** 20;

test('large buffers are empty once there is a mebibyte of them; small ones are the collector’s', async () => {
  const [first, second, small] = [2 ** 19, 2 ** 19, 100].map((bytes) => new ArrayBuffer(bytes));
  release([first!, small!]);
  expect([first!.byteLength, small!.byteLength]).toEqual([2 ** 19, 100]);
  release([second!]);
  expect([first!.byteLength, second!.byteLength, small!.byteLength]).toEqual([0, 0, 100]);
  release([small!]);
  await setImmediate();
  expect(small!.byteLength).toBe(100);
});

test('their memory is free after a turn of the event loop, without a collection', async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) {
    release([new ArrayBuffer(mebibyte)]);
    await setImmediate();
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * mebibyte);
});
