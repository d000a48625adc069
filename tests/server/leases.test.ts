import { describe, expect, test } from '@jest/globals';
import { LeaseBook } from '../../server/leases.ts';

describe('LeaseBook', () => {
  test('gives each shard once, in order', () => {
    const book = new LeaseBook(3, 100);
    expect([0, 1, 2, 3].map((worker) => book.lease(worker, 0)?.shard)).toEqual([0, 1, 2, undefined]);
    expect(book.active).toBe(3);
  });

  test('an empty round is complete', () => {
    expect(new LeaseBook(0, 100).complete).toBe(true);
  });

  test('is complete when every shard is finished, each once', () => {
    const book = new LeaseBook(2, 100);
    const first = book.lease(1, 0)!;
    const second = book.lease(1, 0)!;
    expect(book.finish(first)).toBe(true);
    expect(book.finish(first)).toBe(false);
    expect(book.complete).toBe(false);
    expect(book.finish(second)).toBe(true);
    expect(book.complete).toBe(true);
    expect(book.active).toBe(0);
  });

  test('a lost worker gives back its own shards only, and they go first', () => {
    const book = new LeaseBook(4, 100);
    book.lease(1, 0);
    book.lease(2, 0);
    expect(book.release(1)).toEqual([{ shard: 0, attempt: 1, worker: 1 }]);
    expect(book.release(1)).toEqual([]);
    expect(book.lease(3, 0)).toEqual({ shard: 0, attempt: 2, worker: 3 });
    expect(book.lease(3, 0)?.shard).toBe(2);
  });

  test('a lease times out at its time, not before', () => {
    const book = new LeaseBook(2, 100);
    book.lease(1, 0);
    book.lease(2, 50);
    expect(book.expire(99)).toEqual([]);
    expect(book.expire(100).map(({ shard }) => shard)).toEqual([0]);
    expect(book.active).toBe(1);
  });

  test('the slow worker of a timed-out lease may still be first; the shard is then not leased again', () => {
    const book = new LeaseBook(1, 100);
    const slow = book.lease(1, 0)!;
    book.expire(200);
    expect(book.finish(slow)).toBe(true);
    expect(book.lease(2, 200)).toBeUndefined();
    expect(book.complete).toBe(true);
  });

  test('of two attempts the first to come wins', () => {
    const book = new LeaseBook(1, 100);
    const slow = book.lease(1, 0)!;
    book.expire(200);
    const fast = book.lease(2, 200)!;
    expect(book.finish(fast)).toBe(true);
    expect(book.finish(slow)).toBe(false);
    expect(book.isDone(0)).toBe(true);
  });

  test('a finished shard is not given back when its worker is lost', () => {
    const book = new LeaseBook(1, 100);
    book.finish(book.lease(1, 0)!);
    expect(book.release(1)).toEqual([]);
    expect(book.expire(1e9)).toEqual([]);
  });

  test('every shard is finished exactly once under random losses, time-outs and late results', () => {
    let state = 12345;
    const draw = (bound: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * bound);
    };
    const book = new LeaseBook(50, 20);
    const held: { shard: number; attempt: number; worker: number }[] = [];
    const finished: number[] = [];
    for (let now = 0; !book.complete; now += 1) {
      expect(now).toBeLessThan(100_000);
      const lease = draw(2) === 0 ? book.lease(draw(5), now) : undefined;
      if (lease) held.push(lease);
      if (draw(6) === 0) book.release(draw(5));
      book.expire(now);
      if (held.length > 0 && draw(3) === 0) {
        const [late] = held.splice(draw(held.length), 1);
        if (book.finish(late)) finished.push(late.shard);
      }
    }
    expect(finished.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });
});
