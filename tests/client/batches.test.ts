import { describe, expect, test } from '@jest/globals';
import { type BatchSchedule, drawBatches, partsOf } from '../../client/batches.ts';
import { namedStream } from '../../random/stream.ts';

const draw = (examples: number, batchSize: number, duration: { steps?: number; epochs?: number }, key = 0) =>
  drawBatches(examples, batchSize, duration, namedStream('batches test', 'order', key));

function batchesOf({ order, offsets }: BatchSchedule): number[][] {
  return offsets.slice(1).map((end, i) => Array.from(order.subarray(offsets[i], end)));
}

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);

describe('mini-batches of a client', () => {
  test('an epoch visits every example once, the last batch being smaller', () => {
    const batches = batchesOf(draw(10, 4, { epochs: 1 }));
    expect(batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
    expect(sorted(batches.flat())).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('every epoch is shuffled anew', () => {
    const { order } = draw(8, 4, { epochs: 3 });
    const passes = [0, 1, 2].map((pass) => order.slice(8 * pass, 8 * pass + 8));
    for (const pass of passes) expect(sorted(pass)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(passes.map(String)).size).toBe(3);
  });

  test('a number of steps runs over the end of a pass and stops inside one', () => {
    const batches = batchesOf(draw(5, 2, { steps: 4 }));
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 1, 2]);
    expect(sorted(batches.slice(0, 3).flat())).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(batches[3]).size).toBe(2);
  });

  test('a client with fewer examples than a batch trains on all of them at every step', () => {
    const batches = batchesOf(draw(3, 16, { steps: 2 }));
    expect(batches.map(sorted)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test('the same stream draws the same batches, another stream others', () => {
    expect(draw(20, 4, { epochs: 1 })).toEqual(draw(20, 4, { epochs: 1 }));
    expect(draw(20, 4, { epochs: 1 }, 1)).not.toEqual(draw(20, 4, { epochs: 1 }));
  });

  test('every order of three examples is drawn equally often', () => {
    const stream = namedStream('batches test', 'uniformity');
    const counts = new Map<string, number>();
    const trials = 6000;
    for (let i = 0; i < trials; i++) {
      const key = drawBatches(3, 3, { steps: 1 }, stream).order.join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // χ² with 5 degrees of freedom exceeds 20.5 once in a thousand; the stream is fixed, so the test is deterministic.
    const expected = trials / 6;
    const statistic = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(counts.size).toBe(6);
    expect(statistic).toBeLessThan(20.5);
  });
});

describe('a schedule cut into parts', () => {
  const cut = (examples: number, batchSize: number, steps: number, visits: number) => {
    const { offsets } = draw(examples, batchSize, { steps });
    const parts = partsOf(offsets, visits);
    return { parts, visits: parts.slice(1).map((last, i) => offsets[last]! - offsets[parts[i]!]!) };
  };

  test('keeps every mini-batch whole, and as many together as go', () => {
    const { parts, visits } = cut(10, 4, 11, 9);
    expect(parts).toEqual([0, 2, 4, 6, 8, 10, 11]);
    expect(visits).toEqual([8, 6, 6, 8, 6, 4]);
  });

  test('leaves one that fits as it is, and never cuts a mini-batch', () => {
    expect(cut(8, 4, 3, 12).parts).toEqual([0, 3]);
    expect(cut(30, 30, 2, 12).visits).toEqual([30, 30]);
  });
});
