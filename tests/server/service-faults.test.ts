import { status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { runWorker } from '../../client/worker.ts';
import { splitPayload } from '../../proto/chunks.ts';
import { bytesOfFloats } from '../../proto/floats.ts';
import { PROTOCOL_VERSION } from '../../proto/load.ts';
import { RejectedMessage, type Rejection } from '../../server/faults.ts';
import { WorkerConduct } from '../../server/worker-conduct.ts';
import { collect, start, work } from '../support/open-servers.ts';
import { fakeContext, headerOf, parameters, RawWorker, task } from '../support/wire.ts';

/** The chunk of a sum of nine grid integers. */
const sumChunk = (values = new Float64Array(9)) => splitPayload(bytesOfFloats(values))[0];

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('workers that die or hang', () => {
  test('the shard of a worker killed mid-lease goes to another at once', async () => {
    const server = await start();
    const { seen, onResult } = collect();
    const victim = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1], [2]], onResult);
    const lease = await victim.lease();
    victim.send({ shardHeader: headerOf(lease, 1) });
    victim.kill();
    void work(server);
    await round;
    expect(seen.sort()).toEqual([0, 1]);
  });

  test('a worker may ask for a shard before it sends the one it has, and not for a third', async () => {
    const server = await start();
    const { seen, onResult } = collect();
    const eager = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1], [2], [3]], onResult);
    const leases = [await eager.lease(), await eager.lease()];
    expect(leases.map(({ shard }) => shard)).toEqual([0, 1]);
    const third = eager.lease();
    await expect(Promise.race([third, new Promise((resolve) => setTimeout(resolve, 50, 'none'))])).resolves.toBe(
      'none',
    );
    for (const lease of leases) {
      eager.send({ shardHeader: headerOf(lease, 1) });
      eager.send({ shardChunk: sumChunk() });
    }
    const last = await third;
    expect(last.shard).toBe(2);
    eager.send({ shardHeader: headerOf(last, 1) });
    eager.send({ shardChunk: sumChunk() });
    await round;
    expect(seen).toEqual([0, 1, 2]);
    eager.kill();
  });

  test('a worker killed with two shards gives both back', async () => {
    const server = await start();
    const { seen, onResult } = collect();
    const victim = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1], [2]], onResult);
    await victim.lease();
    await victim.lease();
    victim.kill();
    void work(server);
    await round;
    expect(seen.sort()).toEqual([0, 1]);
    expect(server.faults.of('leaseLost')).toBe(2);
  });

  test('a shard that another has delivered meanwhile does not keep a worker from the next', async () => {
    const server = await start({ leaseTimeoutSeconds: 0.1, maxAttempts: 100 });
    const { seen, onResult } = collect();
    const slow = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1], [2]], onResult);
    const held = [await slow.lease(), await slow.lease()];
    await until(() => server.faults.of('leaseExpired') === 2);
    const other = await RawWorker.join(server.address);
    const taken = await other.lease();
    other.send({ shardHeader: headerOf(taken, 1) });
    other.send({ shardChunk: sumChunk() });
    await until(() => seen.length === 1);
    const next = await slow.lease();
    expect(next.shard).toBe(held.find(({ shard }) => shard !== taken.shard)!.shard);
    slow.send({ shardHeader: headerOf(next, 1) });
    slow.send({ shardChunk: sumChunk() });
    await round;
    expect(seen.sort()).toEqual([0, 1]);
    slow.kill();
    other.kill();
  });

  test('under local noise that cannot be drawn again no client is asked twice: the round ends', async () => {
    const server = await start();
    const { seen, onResult } = collect();
    const victim = await RawWorker.join(server.address);
    const round = (source: 'seeded' | 'cryptographic') =>
      server.runRound(1, parameters(), [[1]], onResult, {
        clipping: { mode: 'global', bound: 1 },
        gridStep: 1,
        noise: { kind: 'gaussian', steps: 1, source, local: true },
      });
    const cryptographic = round('cryptographic');
    const refused = expect(cryptographic).rejects.toThrow(/second message of its clients.*not accounted/);
    await victim.lease();
    victim.kill();
    const honest = await RawWorker.join(server.address);
    const asked = honest.lease();
    await refused;
    expect(seen).toEqual([]);
    // With a seed it is the same message.
    const again = await RawWorker.join(server.address);
    const seeded = round('seeded');
    const ended = expect(seeded).rejects.toThrow('closed');
    expect((await asked).attempt).toBe(1);
    honest.kill();
    expect((await again.lease()).attempt).toBe(2);
    await server.close();
    await ended;
  });

  test('a worker that hangs up in the middle of its sum loses the shard', async () => {
    const server = await start();
    const { seen, onResult } = collect();
    const victim = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], onResult);
    victim.send({ shardHeader: headerOf(await victim.lease(), 1) });
    await victim.leave();
    expect(seen).toEqual([]);
    void work(server);
    await round;
    expect(seen).toEqual([0]);
  });

  test('a hung worker loses its shard by time-out, and its late result is not summed again', async () => {
    const server = await start({ leaseTimeoutSeconds: 0.1 });
    const { seen, onResult } = collect();
    const slow = await RawWorker.join(server.address);
    const rounds = server.runRound(1, parameters(), [[1]], onResult);
    const lease = await slow.lease();
    void work(server);
    await rounds;
    expect(seen).toEqual([0]);
    slow.send({ shardHeader: headerOf(lease, 1) });
    slow.send({ shardChunk: sumChunk() });
    await until(() => server.faults.of('wrongRound') === 1);
    expect(seen).toEqual([0]);
    slow.kill();
  });

  test('the late result of a timed-out worker counts when it is still the first', async () => {
    const server = await start({ leaseTimeoutSeconds: 0.05, maxAttempts: 100 });
    const { seen, onResult } = collect();
    const slow = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], onResult);
    const lease = await slow.lease();
    await new Promise((resolve) => setTimeout(resolve, 110));
    slow.send({ shardHeader: headerOf(lease, 1) });
    slow.send({ shardChunk: sumChunk() });
    await round;
    expect(seen).toEqual([0]);
    slow.kill();
  });

  test('when every worker hangs the round ends with an error', async () => {
    const server = await start({ leaseTimeoutSeconds: 0.05 });
    const hung = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    await hung.lease();
    await expect(round).rejects.toThrow(/none of 1 workers has answered .* set federation\.shardSize lower/);
    hung.kill();
  });

  test('a shard that kills every worker is given up after maxAttempts', async () => {
    const server = await start({ maxAttempts: 3 });
    const round = server.runRound(4, parameters(), [[1]], () => undefined);
    const rejected = expect(round).rejects.toThrow(/round 4: shard 0 was leased 3 times without a result/);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const victim = await RawWorker.join(server.address);
      expect((await victim.lease()).attempt).toBe(attempt);
      victim.kill();
    }
    await rejected;
  });

  test('a worker still taking in parameters when the round ends gets a lease of the next', async () => {
    // More than the buffers of a reader that does not read can hold.
    const size = 2_600_000;
    const large = [{ name: 'big', shape: [size] }];
    const chunks = splitPayload(new Uint8Array(8 * size));
    const server = await start({ task: { ...task, layers: large } });
    const [slow, fast] = [await RawWorker.join(server.address, 'slow'), await RawWorker.join(server.address, 'fast')];
    const deliver = (worker: RawWorker, lease: Parameters<typeof headerOf>[0]) => {
      worker.send({ shardHeader: { ...headerOf(lease, 1), deltaNormSums: [0], clippedCounts: [0] } });
      for (const shardChunk of chunks) worker.send({ shardChunk });
    };
    const first = server.runRound(1, new Float32Array(size), [[1], [2]], () => {
      throw new Error('the caller ends the round');
    });
    const ended = expect(first).rejects.toThrow('the caller ends the round');
    slow.reading(false);
    slow.send({ leaseRequest: {} });
    deliver(fast, await fast.lease());
    await ended;
    fast.kill();
    const { seen, onResult } = collect();
    const second = server.runRound(2, new Float32Array(size), [[1]], onResult);
    slow.reading(true);
    const lease = await slow.next('lease');
    expect(lease.round).toBe(2);
    deliver(slow, lease);
    await second;
    expect(seen).toEqual([0]);
    const rounds = slow.received.flatMap(({ parametersChunk }) => (parametersChunk ? [parametersChunk.round] : []));
    // Round 1 was broken off; round 2 came whole.
    const whole = splitPayload(new Uint8Array(4 * size)).length;
    expect(rounds.filter((round) => round === 1).length).toBeLessThan(whole);
    expect(rounds.filter((round) => round === 2).length).toBe(whole);
    slow.kill();
  });

  test('a worker that waits from one round to the next gets a lease', async () => {
    const server = await start();
    const waiting = await RawWorker.join(server.address, 'waiting');
    waiting.send({ leaseRequest: {} });
    await server.runRound(1, parameters(), [], () => undefined);
    const round = server.runRound(2, parameters(), [[1]], () => undefined);
    const lease = await waiting.next('lease');
    expect(lease.round).toBe(2);
    waiting.send({ shardHeader: headerOf(lease, 1) });
    waiting.send({ shardChunk: sumChunk() });
    await round;
    await waiting.leave();
  });

  test('parameters are sent once per round', async () => {
    const server = await start();
    const worker = await RawWorker.join(server.address);
    for (const number of [1, 2]) {
      const round = server.runRound(number, parameters(), [[1], [2], [3]], () => undefined);
      for (let shard = 0; shard < 3; shard += 1) {
        const lease = await worker.lease();
        worker.send({ shardHeader: headerOf(lease, 1) });
        worker.send({ shardChunk: sumChunk() });
      }
      await round;
    }
    expect(worker.received.filter(({ parametersChunk }) => parametersChunk).length).toBe(2);
    await worker.leave();
  });
});

describe('results that must not be summed', () => {
  test.each([
    ['duplicate', {}],
    ['wrongRound', { round: 7 }],
    ['wrongRun', { runId: 'run-b' }],
    ['notLeased', { shard: 1 }],
    ['notLeased', { shard: 99 }],
  ] as const)('%s %j is rejected and counted, and the stream lives on', async (reason, change) => {
    const server = await start();
    const { seen, onResult } = collect();
    const worker = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1], [2]], onResult);
    const first = await worker.lease();
    worker.send({ shardHeader: headerOf(first, 1) });
    worker.send({ shardChunk: sumChunk() });
    worker.send({ shardHeader: { ...headerOf(first, 1), ...change } });
    worker.send({ shardChunk: sumChunk(new Float64Array(9).fill(1e6)) });
    await until(() => server.faults.of(reason) === 1);
    expect(seen).toEqual([0]);
    const second = await worker.lease();
    worker.send({ shardHeader: headerOf(second, 1) });
    worker.send({ shardChunk: sumChunk() });
    await round;
    expect(seen).toEqual([0, 1]);
    await worker.leave();
  });

  const wrongSize = splitPayload(new Uint8Array(64))[0];
  const damaged = { ...sumChunk(), sha256: new Uint8Array(32) };
  test.each<[string, Rejection, object, object]>([
    ['of the wrong size', 'wrongSize', {}, wrongSize],
    ['damaged on the way', 'malformed', {}, damaged],
    ['with counts that do not add up', 'malformed', { contributed: 2 }, sumChunk()],
    ['with too few layers', 'wrongSize', { deltaNormSums: [0] }, sumChunk()],
    ['with impossible clip counts', 'malformed', { clippedCounts: [2, 0] }, sumChunk()],
    ['with a NaN in the sum', 'notFinite', {}, sumChunk(new Float64Array(9).fill(Number.NaN))],
    ['with an infinity in the sum', 'notFinite', {}, sumChunk(new Float64Array(9).fill(Number.POSITIVE_INFINITY))],
    ['with a fraction in the sum', 'malformed', {}, sumChunk(new Float64Array(9).fill(0.5))],
  ])('a result %s costs the worker its stream, and another trains the shard', async (_, reason, change, chunk) => {
    const server = await start();
    const { seen, onResult } = collect();
    const worker = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], onResult);
    worker.send({ shardHeader: { ...headerOf(await worker.lease(), 1), ...change } });
    worker.send({ shardChunk: chunk });
    expect((await worker.status).code).toBe(status.INVALID_ARGUMENT);
    expect(server.faults.of(reason)).toBe(1);
    expect(seen).toEqual([]);
    void work(server);
    await round;
    expect(seen).toEqual([0]);
  });
});

describe('a round whose caller refuses a result', () => {
  test('has the shard trained again by another worker', async () => {
    const server = await start();
    const liar = await RawWorker.join(server.address, 'liar');
    const seen: number[] = [];
    const round = server.runRound(1, parameters(), [[1]], (_, { sum }) => {
      const [first] = sum;
      if (first === 1e6) throw new RejectedMessage('tooLarge', 'its sum is larger than it can be');
      seen.push(first);
    });
    liar.send({ shardHeader: headerOf(await liar.lease(), 1) });
    liar.send({ shardChunk: sumChunk(new Float64Array(9).fill(1e6)) });
    expect((await liar.status).details).toContain('larger than it can be');
    void work(server);
    await round;
    expect(seen).toHaveLength(1);
    expect(server.takeFaults()).toEqual({ tooLarge: 1, leaseLost: 1 });
    expect(server.takeFaults()).toBeUndefined();
  });
});

describe('workers that are not heard of', () => {
  test('a silent one keeps its lease, and another trains the shard as well; the first result counts', async () => {
    const server = await start({ silenceSeconds: 0.05 });
    const { seen, onResult } = collect();
    const silent = await RawWorker.join(server.address, 'silent');
    const round = server.runRound(1, parameters(), [[1], [2]], onResult);
    const lease = await silent.lease();
    void work(server);
    await round;
    expect(seen.sort()).toEqual([0, 1]);
    expect(server.faults.of('workerSilent')).toBe(1);
    expect(server.faults.of('leaseLost')).toBe(0);
    silent.send({ shardHeader: headerOf(lease, 1) });
    silent.send({ shardChunk: sumChunk() });
    await until(() => server.faults.of('wrongRound') === 1);
    expect(server.workerCount()).toBe(2);
    silent.kill();
  });

  test('heartbeats in the middle of a shard keep others from training it', async () => {
    const server = await start({ silenceSeconds: 0.2 });
    const trained: number[] = [];
    const pause = async (id: number) => {
      trained.push(id);
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    for (const name of ['a', 'b']) {
      void runWorker({ server: server.address, name, openTask: async () => fakeContext(pause) });
    }
    await until(() => server.workerCount() === 2);
    await server.runRound(1, parameters(), [[1, 2, 3, 4, 5, 6, 7, 8]], () => undefined);
    expect(trained).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(server.faults.total).toEqual({});
  });
});

describe('workers that keep failing', () => {
  test('are set aside by name for a while, whoever they claim to be in between', async () => {
    const server = await start({ conduct: new WorkerConduct(2, 0.3) });
    const { seen, onResult } = collect();
    const round = server.runRound(1, parameters(), [[1]], onResult);
    for (let time = 0; time < 2; time += 1) {
      const crashing = await RawWorker.join(server.address, 'crashing');
      await crashing.lease();
      crashing.kill();
    }
    await until(() => server.faults.of('workerSetAside') === 1);
    const again = new RawWorker(server.address);
    again.send({ hello: { protocolVersion: PROTOCOL_VERSION, name: 'crashing' } });
    const end = await again.status;
    expect(end.code).toBe(status.FAILED_PRECONDITION);
    expect(end.details).toMatch(/worker 'crashing' failed again and again and is set aside for another 1 s/);
    await new Promise((resolve) => setTimeout(resolve, 310));
    void work(server, 'crashing');
    await round;
    expect(seen).toEqual([0]);
  });
});

describe('a round without workers', () => {
  test('waits, says so, and goes on when one comes', async () => {
    const lines: string[] = [];
    const server = await start({ waitForWorkersSeconds: 2, notice: (line) => lines.push(line) });
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    await until(() => lines.length === 1);
    void work(server);
    await round;
    expect(lines[0]).toBe('no worker is connected; waiting up to 2 s for one');
  });

  test('ends at once when nobody is to be waited for, also when the last worker leaves it later', async () => {
    const server = await start();
    const leaver = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    const ended = expect(round).rejects.toThrow('nobody left');
    await leaver.lease();
    server.waitForNobody(() => new Error('nobody left'));
    // The round goes on as long as somebody trains it.
    expect(await Promise.race([round, new Promise((resolve) => setTimeout(resolve, 50, 'under way'))])).toBe(
      'under way',
    );
    await leaver.leave();
    await ended;
    await expect(server.runRound(2, parameters(), [[1]], () => undefined)).rejects.toThrow('nobody left');
  });

  test('ends with a clear error after the time that is set', async () => {
    const server = await start({ waitForWorkersSeconds: 0.1 });
    const leaver = await RawWorker.join(server.address);
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    const ended = expect(round).rejects.toThrow(/no worker was connected for 0\.1 s; start workers and resume the run/);
    await leaver.lease();
    await leaver.leave();
    await ended;
  });
});
