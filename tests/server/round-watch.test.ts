import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { ProtocolError } from '../../errors.ts';
import { watchRound } from '../../server/round-watch.ts';
import type { WorkerSession } from '../../server/worker-session.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const limits = { leaseTimeoutSeconds: 600, silenceSeconds: 4, waitForWorkersSeconds: 8 };

/** Watches a round with one lease, held by a worker that was last heard of at the start. */
function watch() {
  const state = { workers: 1, expired: false };
  const heard = performance.now();
  const seen = { looks: 0, silent: 0, served: 0, ended: [] as ProtocolError[] };
  const dispatch = {
    sweep: () => {
      seen.looks += 1;
      return state.expired;
    },
    suspect: (isSilent: (session: WorkerSession) => boolean) => {
      const silent = isSilent({ heard } as WorkerSession);
      if (silent) seen.silent += 1;
      return silent;
    },
  };
  const end = watchRound(dispatch, limits, {
    workers: () => state.workers,
    serve: () => {
      seen.served += 1;
    },
    hopeless: (error) => void seen.ended.push(error),
    notice: () => undefined,
  });
  return { state, seen, end };
}

describe('watchRound', () => {
  test('looks four times within the shortest limit, until it is ended', () => {
    const { seen, end } = watch();
    jest.advanceTimersByTime(4000);
    expect(seen).toMatchObject({ looks: 4, served: 0 });
    end();
    jest.advanceTimersByTime(4000);
    expect(seen.looks).toBe(4);
  });

  test('shards of leases that ran out, and of silent workers, are served', () => {
    const { state, seen, end } = watch();
    state.expired = true;
    jest.advanceTimersByTime(1000);
    expect(seen).toMatchObject({ served: 1, silent: 0 });
    state.expired = false;
    jest.advanceTimersByTime(4000);
    expect(seen).toMatchObject({ served: 2, silent: 1 });
    end();
  });

  test('a pause of this process is not taken for silence of others', () => {
    const { seen, end } = watch();
    // The clock goes on, as when a machine sleeps.
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 60_000);
    jest.advanceTimersByTime(1000);
    expect(seen).toMatchObject({ looks: 1, silent: 0 });
    clock.mockReturnValue(now + 61_000);
    jest.advanceTimersByTime(1000);
    expect(seen).toMatchObject({ looks: 2, silent: 1 });
    clock.mockRestore();
    end();
  });

  test('a round without workers is given up after the time that is set', () => {
    const { state, seen, end } = watch();
    state.workers = 0;
    jest.advanceTimersByTime(8000);
    expect(seen.ended).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(seen.ended[0]?.message).toContain('no worker was connected for 8 s');
    end();
  });
});
