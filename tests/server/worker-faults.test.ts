import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ProtocolError } from '../../errors.ts';
import { FaultCounts, RejectedMessage } from '../../server/faults.ts';
import { WorkerConduct } from '../../server/worker-conduct.ts';
import { WorkerFaults } from '../../server/worker-faults.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Faults of a server that sets workers aside after two in a row. */
function server() {
  const state = { workers: 0, closed: false };
  const counts = new FaultCounts();
  const [logged, noticed]: [string[], string[]] = [[], []];
  const ended: ProtocolError[] = [];
  const faults = new WorkerFaults({
    counts,
    conduct: new WorkerConduct(2, 10),
    workers: () => state.workers,
    closed: () => state.closed,
    fail: (error) => void ended.push(error),
    log: (line) => void logged.push(line),
    notice: (line) => void noticed.push(line),
  });
  return { state, counts, logged, noticed, ended, faults };
}

describe('WorkerFaults', () => {
  test('faults in a row set a worker aside, which is counted and told with the last reason', () => {
    const { faults, counts, noticed } = server();
    faults.broke({ name: 'a' }, new ProtocolError('not a message'));
    expect(faults.objection('a')).toBeUndefined();
    faults.lostLease({ name: 'a' });
    expect(faults.objection('a')).toBeInstanceOf(RejectedMessage);
    expect(faults.objection('a')?.message).toBe(
      "worker 'a' failed again and again and is set aside for another 10 s; see the server's log for why",
    );
    expect(faults.objection('b')).toBeUndefined();
    expect(counts.total).toEqual({ malformed: 1, workerSetAside: 1 });
    expect(noticed).toEqual([
      "worker 'a' was refused: not a message",
      "worker 'a' failed again and again and is set aside; last: worker 'a' was lost",
    ]);
  });

  test('a stream is blamed once, for the first that went wrong; a refused message counts as its reason', () => {
    const { faults, counts } = server();
    const session = { name: 'a' };
    expect(faults.reason(session)).toBe('');
    faults.broke(session, new RejectedMessage('tooLarge', 'too large'));
    faults.lostLease(session);
    expect(faults.reason(session)).toBe('too large');
    expect(faults.objection('a')).toBeUndefined();
    expect(counts.total).toEqual({ tooLarge: 1 });
  });

  test('a delivered result wipes the slate clean; a late one is counted and held against nobody', () => {
    const { faults, counts, logged } = server();
    faults.lostLease({ name: 'a' });
    faults.delivered({ name: 'a' });
    faults.rejected({ name: 'a' }, 'wrongRound');
    faults.rejected({ name: 'a' }, 'duplicate');
    faults.lostLease({ name: 'a' });
    expect(faults.objection('a')).toBeUndefined();
    expect(counts.total).toEqual({ wrongRound: 1, duplicate: 1 });
    expect(logged[0]).toBe("a result of worker 'a' was rejected (wrongRound)");
  });

  test('when nobody comes forward within the grace time, the first failure is the run’s', () => {
    const { faults, ended, counts, logged } = server();
    faults.failed({ name: 'a' }, 'no data');
    jest.advanceTimersByTime(3000);
    faults.failed({ name: 'b' }, 'no memory');
    jest.advanceTimersByTime(1999);
    expect(ended).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(ended.map(({ message }) => message)).toEqual(["every worker failed; the first ('a') reported: no data"]);
    expect(counts.of('workerFailed')).toBe(2);
    expect(logged).toEqual(["worker 'a' failed: no data", "worker 'b' failed: no memory"]);
  });

  test('with another worker, or after stop, the run goes on', () => {
    const { faults, ended, state } = server();
    faults.failed({ name: 'a' }, 'no data');
    state.workers = 1;
    jest.advanceTimersByTime(5000);
    state.workers = 0;
    faults.failed({ name: 'b' }, 'no data');
    faults.stop();
    jest.advanceTimersByTime(5000);
    expect(ended).toEqual([]);
  });

  test('once the server is closed nobody is blamed for hanging up', () => {
    const { faults, ended, state } = server();
    state.closed = true;
    for (const session of [{ name: 'a' }, { name: 'a' }, { name: 'a' }]) faults.failed(session, 'interrupted');
    jest.advanceTimersByTime(5000);
    expect(faults.objection('a')).toBeUndefined();
    expect(ended).toEqual([]);
  });
});
