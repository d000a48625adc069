import { describe, expect, test } from '@jest/globals';
import { WorkerConduct } from '../../server/worker-conduct.ts';

describe('WorkerConduct', () => {
  test('faults in a row set a worker aside for a time; others are not concerned', () => {
    const conduct = new WorkerConduct(3, 10);
    expect([1, 2, 3].map((now) => conduct.fault('a', now))).toEqual([false, false, true]);
    expect(conduct.secondsAside('a', 3)).toBe(10);
    expect(conduct.secondsAside('a', 9_003)).toBe(1);
    expect(conduct.secondsAside('a', 10_003)).toBe(0);
    expect(conduct.secondsAside('b', 3)).toBe(0);
  });

  test('a result wipes the slate clean; without one, the next fault sets it aside again', () => {
    const conduct = new WorkerConduct(2, 10);
    conduct.fault('a', 0);
    conduct.delivered('a');
    expect(conduct.fault('a', 1)).toBe(false);
    expect(conduct.fault('a', 2)).toBe(true);
    expect(conduct.fault('a', 20_000)).toBe(true);
  });

  test('invented names do not fill the memory: the oldest are forgotten', () => {
    const conduct = new WorkerConduct(2, 10);
    conduct.fault('first', 0);
    for (let i = 0; i < 10_000; i++) conduct.fault(`name ${i}`, 0);
    expect(conduct.fault('first', 0)).toBe(false);
  });
});
