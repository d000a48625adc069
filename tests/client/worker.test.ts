import { createServer } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { WorkerTask } from '../../client/task.ts';
import { parseTask, withDataPath } from '../../client/task.ts';
import { runWorker } from '../../client/worker.ts';
import { dataConfig } from '../../data/config.ts';
import { ConfigError, ProtocolError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { splitPayload } from '../../proto/chunks.ts';
import type { ServerMessage } from '../../proto/generated/dpfl/v1/ServerMessage.ts';
import type { WorkerMessage__Output } from '../../proto/generated/dpfl/v1/WorkerMessage.ts';
import { Aggregation } from '../../proto/load.ts';
import type { AggregationServer } from '../../server/service.ts';
import { fakeContext, layers, parameters, startServer, task } from '../support/wire.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A server that answers each message of a worker as the test says. */
async function scripted(
  answer: (message: WorkerMessage__Output, call: ServerDuplexStream<WorkerMessage__Output, ServerMessage>) => void,
): Promise<string> {
  const server = new Server();
  server.addService(Aggregation.service, {
    Work: (call: ServerDuplexStream<WorkerMessage__Output, ServerMessage>) => {
      call.on('data', (message) => answer(message, call));
      call.on('error', () => undefined);
    },
  });
  cleanups.push(() => server.forceShutdown());
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `127.0.0.1:${port}`;
}

/** The server's end without Finished. */
function crash(server: AggregationServer): void {
  (server as unknown as { ports: { listener: { destroy(): void } } }).ports.listener.destroy();
}

const welcome = {
  runId: 'r',
  taskJson: JSON.stringify(task),
  layoutFingerprint: new ParameterLayout(layers).fingerprint(),
};
const quick = { name: 'w', openTask: async () => fakeContext(), connectSeconds: 0.3, reconnectSeconds: 0.2 };

describe('runWorker', () => {
  test('waits for a server that comes up later', async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    const worker = runWorker({ ...quick, server: listen, connectSeconds: 10 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const server = await startServer({ listen });
    cleanups.push(() => server.close());
    await server.runRound(1, parameters(), [[1, 2], [3]], () => undefined);
    await server.close('over');
    expect(await worker).toEqual({ shards: 2, clients: 3, reason: 'over' });
  });

  test('gives up on a server that never comes', async () => {
    const server = `127.0.0.1:${await freePort()}`;
    const worker = runWorker({ ...quick, server });
    await expect(worker).rejects.toThrow(ProtocolError);
    await expect(worker).rejects.toThrow(/is not reachable: .*; gave up after 0\.3 s: check the address/);
  });

  test('a lost server is an error after retries; a server that returns is served again', async () => {
    const first = await startServer();
    const listen = first.address;
    const worker = runWorker({ ...quick, server: listen, reconnectSeconds: 1 });
    await first.runRound(1, parameters(), [[1]], () => undefined);
    // Dies without Finished.
    crash(first);
    const second = await startServer({ listen, runId: 'run-b' });
    await second.runRound(1, parameters(), [[1], [2]], () => undefined);
    crash(second);
    await expect(worker).rejects.toThrow(/gave up after 1 s/);
    await Promise.all([first.close(), second.close()]);
  });

  test('a refusal is told at once, in the words of the server', async () => {
    const server = await scripted((_, call) => {
      call.emit('error', { code: 9, details: 'this server speaks version 2' });
    });
    const worker = runWorker({ ...quick, server, connectSeconds: 60 });
    await expect(worker).rejects.toThrow(/refused this worker: this server speaks version 2/);
  });

  test('ends when its signal is aborted, also in the middle of a shard', async () => {
    const server = await startServer();
    cleanups.push(() => server.close());
    const controller = new AbortController();
    const openTask = async () => fakeContext(() => controller.abort(new Error('stop it')));
    const worker = runWorker({ ...quick, openTask, server: server.address, signal: controller.signal });
    const round = server.runRound(1, parameters(), [[1, 2]], () => undefined);
    await expect(worker).rejects.toThrow('stop it');
    void runWorker({ ...quick, server: server.address });
    await round;
  });

  test('an aborted signal ends the wait for a server', async () => {
    const signal = AbortSignal.timeout(50);
    const server = `127.0.0.1:${await freePort()}`;
    const started = performance.now();
    await expect(runWorker({ ...quick, server, connectSeconds: 60, signal })).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test.each<[string, RegExp, ServerMessage[]]>([
    ['another beginning than Welcome', /did not begin with Welcome/, [{ lease: {} }]],
    [
      'a task it does not understand',
      /not understood at local/,
      [{ welcome: { ...welcome, taskJson: JSON.stringify({ ...task, local: {} }) } }],
    ],
    ['a task that is not JSON', /is not JSON/, [{ welcome: { ...welcome, taskJson: '{' } }]],
    ['another fingerprint', /do not have the fingerprint/, [{ welcome: { ...welcome, layoutFingerprint: 'f' } }]],
    [
      'a lease before the parameters',
      /came before its parameters/,
      [
        { welcome },
        { modelChunk: splitPayload(new Uint8Array(3))[0] },
        { lease: { runId: 'r', round: 1, attempt: 1, shard: 0, clientIdDeltas: [1] } },
      ],
    ],
    [
      'parameters of another size',
      /parameters: a size of 8 bytes/,
      [
        { welcome },
        { modelChunk: splitPayload(new Uint8Array(3))[0] },
        { parametersChunk: { round: 1, chunk: splitPayload(new Uint8Array(8))[0] } },
      ],
    ],
  ])('does not go on after %s', async (_, message, answers) => {
    const heard: string[] = [];
    const server = await scripted((received, call) => {
      if (received.hello) for (const answer of answers) call.write(answer);
      if (received.failure) {
        heard.push(received.failure.message);
        call.end();
      }
    });
    await expect(runWorker({ ...quick, server })).rejects.toThrow(message);
    if (answers[0].welcome) expect(heard).toEqual([expect.stringMatching(message)]);
  });
});

describe('worker task', () => {
  test('survives JSON', () => {
    expect(parseTask(JSON.stringify(task))).toEqual(task);
  });

  test('unknown keys are refused', () => {
    expect(() => parseTask(JSON.stringify({ ...task, extra: 1 }))).toThrow(ProtocolError);
  });

  test('a seed of 0 and a seed in words are kept', () => {
    expect(parseTask(JSON.stringify({ ...task, seed: 0 })).seed).toBe(0);
    expect(parseTask(JSON.stringify({ ...task, seed: 'a' })).seed).toBe('a');
  });

  test('the data path of a machine takes the place of the server’s', () => {
    expect(withDataPath(task, '/elsewhere').data).toEqual({ ...task.data, path: '/elsewhere' });
  });

  test('data that is not read from files has no path', () => {
    const synthetic: WorkerTask = { ...task, data: dataConfig.parse({ kind: 'synthetic-speech' }) };
    expect(() => withDataPath(synthetic, '/elsewhere')).toThrow(ConfigError);
  });
});
