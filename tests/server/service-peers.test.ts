import { Client, credentials, status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { runWorker } from '../../client/worker.ts';
import { DataError } from '../../errors.ts';
import { Aggregation, MAX_MESSAGE_BYTES, PROTOCOL_VERSION } from '../../proto/load.ts';
import type { AggregationServer } from '../../server/service.ts';
import { collect, start, work } from '../support/open-servers.ts';
import { parameters, RawWorker, task } from '../support/wire.ts';

describe('peers that do not speak the protocol', () => {
  async function stillWorks(server: AggregationServer) {
    const { seen, onResult } = collect();
    void work(server);
    await server.runRound(1, parameters(), [[1]], onResult);
    expect(seen).toEqual([0]);
  }

  test('another protocol version is refused with a clear message', async () => {
    const server = await start();
    const worker = new RawWorker(server.address);
    worker.send({ hello: { protocolVersion: 99, name: 'future' } });
    const end = await worker.status;
    expect(end.code).toBe(status.FAILED_PRECONDITION);
    expect(end.details).toMatch(/worker 'future' speaks protocol version 99 and this server 6; install the same dpfl/);
    expect(server.workerCount()).toBe(0);
    expect(server.faults.total).toEqual({ wrongVersion: 1 });
  });

  test.each<[string, object[]]>([
    ['a lease request before Hello', [{ leaseRequest: {} }]],
    ['an empty message', [{}]],
    [
      'Hello twice',
      [{ hello: { protocolVersion: PROTOCOL_VERSION } }, { hello: { protocolVersion: PROTOCOL_VERSION } }],
    ],
  ])('%s is refused', async (_, messages) => {
    const server = await start();
    const worker = new RawWorker(server.address);
    for (const message of messages) worker.send(message);
    expect((await worker.status).code).toBe(status.INVALID_ARGUMENT);
    await stillWorks(server);
  });

  test('bytes that are no message do not harm the server', async () => {
    const server = await start();
    const client = new Client(server.address, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(
      Aggregation.service.Work.path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
    );
    call.on('error', () => undefined);
    call.on('data', () => undefined);
    call.write(Buffer.from('ffffffffffffffffffff07', 'hex'));
    await new Promise((resolve) => call.once('status', resolve));
    client.close();
    await stillWorks(server);
  });

  test('a message above the limit is refused', async () => {
    const server = await start();
    const worker = await RawWorker.join(server.address);
    worker.send({ failure: { message: 'x'.repeat(MAX_MESSAGE_BYTES + 1) } });
    expect((await worker.status).code).toBe(status.RESOURCE_EXHAUSTED);
    await stillWorks(server);
  });
});

describe('workers that cannot open the task', () => {
  const broken = (server: AggregationServer, name: string) =>
    runWorker({
      server: server.address,
      name,
      openTask: async ({ data }) => {
        throw new DataError(`data.path '${'path' in data ? data.path : ''}' does not exist`);
      },
    });

  test('all of them: the round rejects with their message', async () => {
    const server = await start({ failureGraceSeconds: 0.1 });
    const round = server.runRound(1, parameters(), [[1]], () => undefined);
    const rejected = expect(round).rejects.toThrow(/every worker failed; .*data\.path 'nowhere' does not exist/);
    await Promise.all(['a', 'b'].map((name) => expect(broken(server, name)).rejects.toThrow(DataError)));
    await rejected;
    expect(task.data).toMatchObject({ path: 'nowhere' });
  });

  test('before the first round: it rejects as well', async () => {
    const server = await start({ failureGraceSeconds: 0.01 });
    await expect(broken(server, 'a')).rejects.toThrow(DataError);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await expect(server.runRound(1, parameters(), [[1]], () => undefined)).rejects.toThrow(/does not exist/);
  });

  test('one of them: the others do the work', async () => {
    const server = await start({ failureGraceSeconds: 0.05 });
    const { seen, onResult } = collect();
    void work(server);
    await expect(broken(server, 'a')).rejects.toThrow(DataError);
    await new Promise((resolve) => setTimeout(resolve, 80));
    await server.runRound(1, parameters(), [[1], [2]], onResult);
    expect(seen).toHaveLength(2);
  });
});
