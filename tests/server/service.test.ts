import { describe, expect, test } from '@jest/globals';
import type { OpenTask } from '../../client/lease-trainer.ts';
import { vectorOf } from '../../client/training-session.ts';
import { runWorker, type WorkerSummary } from '../../client/worker.ts';
import { ConfigError, ModelError, ProtocolError } from '../../errors.ts';
import { AggregationServer } from '../../server/service.ts';
import type { DeliveredShard } from '../../server/shard-result.ts';
import { start } from '../support/open-servers.ts';
import { deltaOf, fakeContext, layers, parameters, startServer, task } from '../support/wire.ts';

const shards = Array.from({ length: 12 }, (_, shard) =>
  Array.from({ length: 1 + (shard % 4) }, (_, i) => 7 * shard + i),
);

function work(server: AggregationServer, name = 'w', openTask: OpenTask = async () => fakeContext()) {
  return runWorker({ server: server.address, name, openTask, connectSeconds: 2, reconnectSeconds: 0.2 });
}

/** The sum over a shard's clients, from the formula of the make-believe clients. */
function expectedSum(ids: readonly number[], theta: Float32Array): number[] {
  const sum = new Array<number>(theta.length).fill(0);
  for (const id of ids) {
    for (const [i, value] of deltaOf(id, theta).entries()) sum[i] += value;
  }
  return sum;
}

describe('AggregationServer with workers', () => {
  test.each([1, 2, 5])('%i workers deliver every shard exactly once, two rounds', async (count) => {
    const server = await start();
    const workers = Array.from({ length: count }, (_, index) => work(server, `w${index}`));
    for (const round of [1, 2]) {
      const theta = parameters().map((value) => value * round);
      const results = new Map<number, DeliveredShard>();
      const arrivals: number[] = [];
      await server.runRound(round, theta, shards, (shard, result) => {
        arrivals.push(shard);
        results.set(shard, result);
      });
      expect(arrivals.sort((a, b) => a - b)).toEqual(shards.map((_, index) => index));
      for (const [shard, ids] of shards.entries()) {
        const result = results.get(shard)!;
        expect([...result.sum]).toEqual(expectedSum(ids, theta));
        expect(result.contributed).toBe(ids.length);
        expect(result.lossSum).toBe(ids.reduce((sum, id) => sum + id / 2, 0));
        expect(result.examples).toBe(ids.reduce((sum, id) => sum + (id % 3) + 1, 0));
        expect([...result.deltaNormSums]).toEqual([ids.length, 10 * ids.length]);
        expect([...result.clippedCounts]).toEqual([ids.length, 0]);
      }
    }
    await server.close('done');
    const summaries: WorkerSummary[] = await Promise.all(workers);
    expect(summaries.every(({ reason }) => reason === 'done')).toBe(true);
    expect(summaries.reduce((sum, worker) => sum + worker.shards, 0)).toBe(2 * shards.length);
    expect(server.faults.total).toEqual({});
  });

  test('a round waits for workers that come later', async () => {
    const server = await start();
    const arrivals: number[] = [];
    const round = server.runRound(1, parameters(), [[1], [2]], (shard) => arrivals.push(shard));
    void work(server);
    await round;
    expect(arrivals).toHaveLength(2);
  });

  test('an empty cohort needs no worker', async () => {
    const server = await start();
    await server.runRound(1, parameters(), [], () => expect(true).toBe(false));
  });

  test('a shard without clients gives a zero sum', async () => {
    const server = await start();
    void work(server);
    await server.runRound(1, parameters(), [[]], (_, result) => {
      expect([...result.sum]).toEqual(new Array(9).fill(0));
      expect(result.contributed).toBe(0);
    });
  });

  test('a client with a NaN delta is counted, not summed', async () => {
    const server = await start();
    const context = fakeContext();
    const train = context.trainer.train;
    void work(server, 'w', async () => ({
      ...context,
      trainer: {
        train: async (...given) => {
          const { delta, loss } = await train(...given);
          if (loss === 1) delta[3] = Number.NaN;
          return { delta, loss };
        },
      },
    }));
    const theta = parameters();
    await server.runRound(1, theta, [[1, 2, 3]], (_, result) => {
      expect(result).toMatchObject({ contributed: 2, rejectedNonFinite: 1, lossSum: 2 });
      expect([...result.sum]).toEqual(expectedSum([1, 3], theta));
    });
  });

  test('a parameter vector of 3 million arrives intact, and so does a sum', async () => {
    const size = 3_000_000;
    const large = [{ name: 'big', shape: [size] }];
    const onnx = new Uint8Array(1_500_001).map((_, index) => index * 7);
    // Both ends refuse messages above 1 MiB, so arrival at all shows that none was.
    const server = await start({ task: { ...task, layers: large }, model: { onnx, layers: large } });
    const theta = new Float32Array(size);
    for (let i = 0; i < size; i += 1) theta[i] = Math.sin(i);
    let model = new Uint8Array(0);
    let received = new Float32Array(0);
    void work(server, 'w', async (_, artifact) => {
      model = Uint8Array.from(artifact.onnx);
      const delta = new Float32Array(size);
      // float32 holds integers up to 2^24, hence every index.
      for (let i = 0; i < size; i += 1) delta[i] = i;
      return {
        ...fakeContext(),
        layers: 1,
        trainer: {
          train: async (start) => {
            received = vectorOf(start).slice();
            return { delta, loss: 0 };
          },
        },
      };
    });
    await server.runRound(1, theta, [[0]], (_, { sum }) => {
      expect(sum.length).toBe(size);
      let wrong = 0;
      let i = 0;
      for (const value of sum) if (value !== i++) wrong += 1;
      expect(wrong).toBe(0);
    });
    expect(Buffer.compare(Buffer.from(received.buffer), Buffer.from(theta.buffer))).toBe(0);
    expect(Buffer.compare(model, onnx)).toBe(0);
  });

  test('what onResult throws ends the round', async () => {
    const server = await start();
    void work(server);
    const round = server.runRound(1, parameters(), [[1]], () => {
      throw new RangeError('mine');
    });
    await expect(round).rejects.toThrow('mine');
  });

  test('fail ends the round under way, and later ones', async () => {
    const server = await start();
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    server.fail(new ProtocolError('no worker lives'));
    await expect(round).rejects.toThrow('no worker lives');
    await expect(server.runRound(2, parameters(), [[1]], () => undefined)).rejects.toThrow('no worker lives');
  });

  test('close in the middle of a shard stops the worker after its client', async () => {
    const server = await start();
    const trained: number[] = [];
    let begin: () => void;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const worker = work(server, 'w', async () =>
      fakeContext(async (id) => {
        trained.push(id);
        begin();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }),
    );
    const round = server.runRound(1, parameters(), [[1, 2, 3, 4, 5, 6, 7, 8]], () => undefined);
    const rejected = expect(round).rejects.toThrow(/was closed/);
    await begun;
    await server.close('interrupted');
    await rejected;
    expect((await worker).reason).toBe('interrupted');
    expect(trained.length).toBeLessThan(4);
  });

  test('close without workers, and twice', async () => {
    const server = await start();
    await server.close();
    await server.close();
    expect(server.workerCount()).toBe(0);
  });
});

describe('AggregationServer.start and checks', () => {
  test('a port in use is a ConfigError that says so', async () => {
    const server = await start();
    const second = AggregationServer.start({
      listen: server.address,
      runId: 'b',
      task,
      model: { onnx: new Uint8Array(1), layers },
    });
    await expect(second).rejects.toThrow(ConfigError);
    await expect(second).rejects.toThrow(/listen '127\.0\.0\.1:\d+': the port is in use; .*port 0/);
  });

  test.each(['7000', 'localhost', 'localhost:99999', 'localhost:x'])('address %s is refused', async (listen) => {
    await expect(startServer({ listen })).rejects.toThrow(/give it as host:port/);
  });

  test('an address of another machine is refused', async () => {
    await expect(startServer({ listen: '192.0.2.1:0' })).rejects.toThrow(ConfigError);
  });

  test('parameters of another length are refused', async () => {
    const server = await start();
    await expect(server.runRound(1, new Float32Array(8), [[1]], () => undefined)).rejects.toThrow(ModelError);
  });

  test('a shard that does not fit a lease is refused', async () => {
    const server = await start();
    const shard = Array.from({ length: 100_001 }, (_, index) => index);
    await expect(server.runRound(1, parameters(), [shard], () => undefined)).rejects.toThrow(/federation\.shardSize/);
  });

  test('a task too large for one message is refused', async () => {
    const many = Array.from({ length: 30_000 }, (_, index) => ({ name: `some/long/layer/name/${index}`, shape: [1] }));
    await expect(startServer({ task: { ...task, layers: many } })).rejects.toThrow(ModelError);
  });

  test('two rounds at once are refused', async () => {
    const server = await start();
    const first = server.runRound(1, parameters(), [[1]], () => undefined);
    await expect(server.runRound(2, parameters(), [[1]], () => undefined)).rejects.toThrow(/still under way/);
    void work(server);
    await first;
  });
});
