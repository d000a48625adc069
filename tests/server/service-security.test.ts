import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificates } from '../../cli/certificates.ts';
import { runWorker } from '../../client/worker.ts';
import { Aggregation } from '../../proto/load.ts';
import type { TlsIdentity } from '../../proto/tls.ts';
import { newToken, tokenMetadata } from '../../proto/token.ts';
import type { AggregationServer } from '../../server/service.ts';
import type { AggregationOptions } from '../../server/service-options.ts';
import { fakeContext, parameters, RawWorker, startServer } from '../support/wire.ts';

type Side = 'server' | 'worker';

/** Both sides of one authority. */
async function family(hosts: string[]): Promise<Record<Side, TlsIdentity>> {
  const made = await makeCertificates(hosts, 1);
  const side = (name: Side) => ({
    cert: Buffer.from(made[name].certificate),
    key: Buffer.from(made[name].key),
    ca: Buffer.from(made.authority.certificate),
  });
  return { server: side('server'), worker: side('worker') };
}

let ours: Record<Side, TlsIdentity>;
let strangers: Record<Side, TlsIdentity>;
beforeAll(async () => {
  ours = await family(['127.0.0.1', 'localhost']);
  strangers = await family(['127.0.0.1']);
});

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const token = newToken();

async function start(options: Partial<AggregationOptions>): Promise<{ server: AggregationServer; lines: string[] }> {
  const lines: string[] = [];
  const server = await startServer({ log: (line) => lines.push(line), closeSeconds: 0.5, ...options });
  cleanups.push(() => server.close());
  return { server, lines };
}

const worker = (server: string, shown: { tls?: TlsIdentity; token?: string }) =>
  runWorker({ server, name: 'w', credentials: shown, openTask: async () => fakeContext(), connectSeconds: 0.5 });

const REFUSED = /perhaps it refuses this worker's certificate/;

describe('mutual TLS and token', () => {
  test.each(['127.0.0.1', 'localhost'])('a worker with both trains, calling the server %s', async (host) => {
    const { server } = await start({ tls: ours.server, token });
    const done = worker(server.address.replace('127.0.0.1', host), { tls: ours.worker, token });
    await server.runRound(1, parameters(), [[1, 2]], () => undefined);
    await server.close('over');
    expect((await done).reason).toBe('over');
  });

  test.each<[string, () => { tls?: TlsIdentity; token?: string }, RegExp]>([
    ['no token', () => ({ tls: ours.worker }), /refused this worker: the worker bears no token/],
    ['a wrong token', () => ({ tls: ours.worker, token: newToken() }), /refused .*bears a wrong token/],
    ['a part of the token', () => ({ tls: ours.worker, token: token.slice(0, -1) }), /bears a wrong token/],
    ["a stranger's certificate", () => ({ tls: { ...strangers.worker, ca: ours.worker.ca }, token }), REFUSED],
    ["the server's own certificate", () => ({ tls: ours.server, token }), REFUSED],
    [
      "faith in a stranger's authority",
      () => ({ tls: { ...ours.worker, ca: strangers.worker.ca }, token }),
      /TLS failed/,
    ],
  ])('a worker with %s is not let in, and learns why it could be', async (_, shown, message) => {
    const { server, lines } = await start({ tls: ours.server, token });
    const started = performance.now();
    await expect(worker(server.address, shown())).rejects.toThrow(message);
    expect(performance.now() - started).toBeLessThan(4000);
    expect(server.workerCount()).toBe(0);
    expect(lines.join()).not.toMatch(/joined/);
    expect(lines.join()).not.toContain(token);
  });

  test("a server that has only a worker's certificate is not believed", async () => {
    const { server } = await start({ tls: ours.worker, token });
    await expect(worker(server.address, { tls: ours.worker, token })).rejects.toThrow(/TLS failed/);
  });

  test('plaintext gets nowhere with a TLS server', async () => {
    const { server } = await start({ tls: ours.server, token });
    const plain = runWorker({ server: server.address, name: 'w', credentials: { token }, connectSeconds: 0.3 });
    await expect(plain).rejects.toThrow(/is not reachable/);
  });

  test('without a token, not one message of the server is sent, whatever the worker says', async () => {
    const { server, lines } = await start({ token });
    const intruder = new RawWorker(server.address);
    intruder.send({ hello: { protocolVersion: 1, name: 'intruder' } });
    intruder.send({ leaseRequest: {} });
    const { code } = await intruder.status;
    expect(code).toBe(status.UNAUTHENTICATED);
    expect(intruder.received).toEqual([]);
    intruder.kill();
    expect(lines).toEqual([expect.stringMatching(/^a stream from 127\.0\.0\.1:\d+ was refused: it bears no token$/)]);
  });

  test('many attempts are counted, and make few lines', async () => {
    const { server, lines } = await start({ token });
    const client = new Aggregation(server.address, credentials.createInsecure());
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const call = client.Work(tokenMetadata(newToken()));
      call.on('error', () => undefined).on('data', () => undefined);
      await new Promise((resolve) => call.once('status', resolve));
    }
    client.close();
    expect(server.admission.wrongTokens).toBe(50);
    expect(lines).toHaveLength(1);
  });
});

describe('limits', () => {
  /** A bare connection, and whether the server has cut it. */
  function knock(address: string) {
    const [host, port] = address.split(':');
    const socket = connect(Number(port), host);
    cleanups.push(() => void socket.destroy());
    socket.on('error', () => undefined).resume();
    return { socket, cut: new Promise<void>((resolve) => socket.once('close', () => resolve())) };
  }

  test.each([false, true])('a connection without Hello is cut in time (TLS: %s)', async (secure) => {
    const { server, lines } = await start({ helloSeconds: 0.2, ...(secure ? { tls: ours.server } : {}) });
    await Promise.all([knock(server.address).cut, knock(server.address).cut]);
    expect(lines[0]).toMatch(/^a connection from 127\.0\.0\.1:\d+ was cut: no worker said Hello/);
  });

  test('a stream without Hello is cut in time; a worker stays', async () => {
    const { server } = await start({ helloSeconds: 0.2 });
    const silent = new RawWorker(server.address);
    const speaker = await RawWorker.join(server.address);
    expect((await silent.status).code).not.toBe(status.OK);
    await sleep(300);
    expect(server.workerCount()).toBe(1);
    silent.kill();
    speaker.kill();
  });

  test('connections beyond twice the workers are dropped at once', async () => {
    const { server } = await start({ maxWorkers: 1 });
    const held = [knock(server.address), knock(server.address)];
    await Promise.all(held.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
    await knock(server.address).cut;
    expect(held.every(({ socket }) => !socket.destroyed)).toBe(true);
  });

  test('a worker beyond the limit is told to come again', async () => {
    const { server } = await start({ maxWorkers: 1 });
    const first = await RawWorker.join(server.address);
    const second = new RawWorker(server.address);
    expect(await second.status).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(/all 1 work/),
    });
    second.kill();
    await first.leave();
    const third = await RawWorker.join(server.address);
    third.kill();
  });
});
