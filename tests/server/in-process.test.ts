import { describe, expect, test } from '@jest/globals';
import { runWorker } from '../../client/worker.ts';
import { InProcessServer } from '../../server/in-process.ts';
import type { RoundServer } from '../../server/rounds.ts';
import { fakeContext, parameters, RawWorker, startServer, task } from '../support/wire.ts';

const SHARDS = [[3, 7], [11], [20, 21, 22]];

/** What a caller is handed per shard, but for the time it took. */
async function resultsOf(server: RoundServer): Promise<unknown[]> {
  const results: unknown[] = [];
  await server.runRound(1, parameters(), SHARDS, (shard, { seconds: _seconds, ...result }) => {
    results[shard] = { ...result, sum: [...result.sum], deltaNormSums: [...result.deltaNormSums] };
  });
  return results;
}

describe('InProcessServer', () => {
  test('hands over the very results that come over gRPC', async () => {
    const inProcess = await resultsOf(new InProcessServer(fakeContext()));
    const server = await startServer();
    void runWorker({ server: server.address, name: 'a', openTask: async () => fakeContext() });
    expect(await resultsOf(server)).toEqual(inProcess);
    expect(inProcess).toHaveLength(3);
    await server.close();
  });

  test('parameters in 16 bits arrive as they were, in half the bytes', async () => {
    const inProcess = await resultsOf(new InProcessServer(fakeContext()));
    const server = await startServer({ task: { ...task, transport: 'float16' } });
    const raw = await RawWorker.join(server.address);
    const results = resultsOf(server);
    await raw.lease();
    const sent = raw.received.flatMap(({ parametersChunk }) => parametersChunk?.chunk ?? []);
    expect(sent.map(({ totalBytes }) => totalBytes)).toEqual([2 * parameters().length]);
    raw.kill();
    void runWorker({ server: server.address, name: 'a', openTask: async () => fakeContext() });
    expect(await results).toEqual(inProcess);
    await server.close();
  });

  test('a client that cannot be trained is named', async () => {
    const context = fakeContext((id) => {
      if (id === 11) throw new Error('no memory');
    });
    await expect(resultsOf(new InProcessServer(context))).rejects.toThrow(
      'client 11 in round 1 cannot be trained: no memory',
    );
  });
});
