import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificates } from '../../cli/certificates.ts';
import { runWorker, type WorkerOptions } from '../../client/worker.ts';
import type { TlsIdentity } from '../../proto/tls.ts';
import { newToken } from '../../proto/token.ts';
import type { AggregationServer } from '../../server/service.ts';
import { WorkerConduct } from '../../server/worker-conduct.ts';
import { fuzzCases, fuzzSeed, mutator } from '../support/fuzz.ts';
import { fakeContext, parameters, startServer } from '../support/wire.ts';

const TOKEN = newToken();
const portOf = (address: string) => Number(address.split(':')[1]);

/** What a worker sends to the server in one round, byte for byte, one string per packet. */
async function record(server: AggregationServer, worker: Partial<WorkerOptions>): Promise<Uint8Array[]> {
  const packets: Uint8Array[] = [];
  const proxy = createServer((near) => {
    const far = connect(portOf(server.address), '127.0.0.1');
    near.on('data', (bytes: Uint8Array) => packets.push(Uint8Array.from(bytes)));
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const stop = new AbortController();
  const { port } = proxy.address() as { port: number };
  const options = { ...worker, server: `127.0.0.1:${port}`, name: 'recorded', openTask: async () => fakeContext() };
  const done = runWorker({ ...options, signal: stop.signal }).catch(() => undefined);
  await server.runRound(1, parameters(), [[1], [2, 3]], () => undefined);
  stop.abort();
  await done;
  proxy.close();
  return packets;
}

/** Sends `packets` to the server and waits until it answered for a moment, or hung up. */
function replay(server: AggregationServer, packets: readonly Uint8Array[], milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(portOf(server.address), '127.0.0.1', () => {
      for (const packet of packets) socket.write(packet);
      setTimeout(() => socket.destroy(), milliseconds);
    });
    socket.on('error', () => undefined).resume();
    socket.once('close', () => resolve());
  });
}

describe.each(['plaintext', 'TLS'])('malformed bytes on a socket, %s', (kind) => {
  let server: AggregationServer;
  let worker: Partial<WorkerOptions>;
  let packets: Uint8Array[];

  beforeAll(async () => {
    const made = await makeCertificates(['127.0.0.1'], 1);
    const identity = (side: 'server' | 'worker'): TlsIdentity => ({
      cert: Buffer.from(made[side].certificate),
      key: Buffer.from(made[side].key),
      ca: Buffer.from(made.authority.certificate),
    });
    const secure = kind === 'TLS';
    server = await startServer({
      token: TOKEN,
      conduct: new WorkerConduct(Number.POSITIVE_INFINITY),
      failureGraceSeconds: 600,
      closeSeconds: 0.2,
      ...(secure ? { tls: identity('server') } : {}),
    });
    worker = { credentials: { token: TOKEN, ...(secure ? { tls: identity('worker') } : {}) } };
    // Recorded with another server's token: what strangers can send. What workers can send is in fuzz-messages.test.ts.
    const token = newToken();
    const other = await startServer({ token, closeSeconds: 0.2, ...(secure ? { tls: identity('server') } : {}) });
    packets = await record(other, { credentials: { ...worker.credentials, token } });
    await other.close();
  });
  afterAll(() => server.close());

  const cases = fuzzCases(300);
  test(`${cases} connections (DPFL_FUZZ_SEED=${fuzzSeed}) leave the server as it was`, async () => {
    const mutate = mutator(`sockets ${kind}`);
    const whole = Buffer.concat(packets);
    expect(whole.length).toBeGreaterThan(200);
    for (let done = 0; done < cases; done += 20) {
      const batch = Array.from({ length: 20 }, (_, index) => {
        // Packet by packet, so that most of the conversation stays right and the damage comes late.
        const at = (done + index) % packets.length;
        const damaged = packets.map((packet, place) => (place === at ? mutate([packet]) : packet));
        return replay(server, index % 4 === 0 ? [mutate([whole])] : damaged, 20);
      });
      await Promise.all(batch);
    }
    const stop = new AbortController();
    const good = runWorker({
      server: server.address,
      name: 'good',
      openTask: async () => fakeContext(),
      signal: stop.signal,
      ...worker,
    }).catch(() => undefined);
    let results = 0;
    await server.runRound(2, parameters(), [[1], [2]], () => {
      results += 1;
    });
    stop.abort();
    await good;
    expect(results).toBe(2);
  }, 120_000);
});
