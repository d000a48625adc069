import { afterEach } from '@jest/globals';
import { runWorker } from '../../client/worker.ts';
import type { AggregationServer } from '../../server/service.ts';
import { fakeContext, startServer } from './wire.ts';

const open: AggregationServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

/** A server that is closed after the test. */
export async function start(...options: Parameters<typeof startServer>): Promise<AggregationServer> {
  const server = await startServer(...options);
  open.push(server);
  return server;
}

/** A worker that does what it should. */
export function work(server: AggregationServer, name = 'honest') {
  return runWorker({ server: server.address, name, openTask: async () => fakeContext() });
}

/** Which shards have come. */
export function collect() {
  const seen: number[] = [];
  return { seen, onResult: (shard: number) => void seen.push(shard) };
}
