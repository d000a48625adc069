import { connect } from 'node:net';
import {
  credentials,
  loadPackageDefinition,
  makeClientConstructor,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, describe, expect, test } from '@jest/globals';
import { service } from 'grpc-health-check';
import { newToken, tokenMetadata } from '../../proto/token.ts';
import type { AggregationOptions } from '../../server/service-options.ts';
import { startServer } from '../support/wire.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const HealthClient = makeClientConstructor(service as ServiceDefinition, 'Health');

async function start(options: Partial<AggregationOptions> = {}) {
  const lines: string[] = [];
  const server = await startServer({ log: (line) => lines.push(line), closeSeconds: 0.2, ...options });
  cleanups.push(() => server.close());
  return { server, lines };
}

function clientOf(address: string) {
  const client = new HealthClient(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  cleanups.push(() => client.close());
  return client;
}

/** The answer to one check: its status, or the code of the error. */
function check(address: string, name = ''): Promise<string | number> {
  const client = clientOf(address);
  return new Promise((resolve) =>
    client.check({ service: name }, (error: { code: number } | null, answer: { status: string }) => {
      client.close();
      resolve(error?.code ?? answer.status);
    }),
  );
}

describe('the health service', () => {
  test.each(['', 'dpfl.v1.Aggregation'])("of '%s' is SERVING without a token, and nothing else is", async (name) => {
    const { server, lines } = await start({ token: newToken() });
    expect(await check(server.address, name)).toBe('SERVING');
    expect(server.admission.wrongTokens).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lines).toEqual([]);
  });

  test('tells whoever watches when the server closes', async () => {
    const { server } = await start();
    const seen: string[] = [];
    const call = clientOf(server.address).watch({ service: '' });
    const ended = new Promise((resolve) => call.once('error', resolve));
    await new Promise<void>((resolve) =>
      call.on('data', (message: { status: string }) => {
        seen.push(message.status);
        resolve();
      }),
    );
    await Promise.all([server.close(), ended]);
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
  });

  test('refuses names it does not know, and does not repeat them', async () => {
    const { server } = await start();
    expect(await check(server.address, 'no.such.Service')).toBe(status.NOT_FOUND);
    const call = clientOf(server.address).watch({ service: 'x'.repeat(100_000) });
    const error = await new Promise<{ code: number; details: string }>((resolve) => call.once('error', resolve));
    expect(error.code).toBe(status.NOT_FOUND);
    expect(error.details.length).toBeLessThan(200);
  });

  test('does not make a connection stay longer than any other without a worker', async () => {
    const { server, lines } = await start({ helloSeconds: 0.2 });
    const call = clientOf(server.address).watch({ service: '' });
    call.on('data', () => undefined);
    const error = await new Promise<{ code: number }>((resolve) => call.once('error', resolve));
    expect(error.code).not.toBe(status.OK);
    expect(lines).toEqual([]);
  });

  test('has a port of its own when asked, on which there is nothing else', async () => {
    const { server } = await start({ healthListen: '127.0.0.1:0', reflection: true });
    expect(server.healthAddress).not.toBe(server.address);
    expect(await check(server.healthAddress ?? '')).toBe('SERVING');
    const services = await reflected(server.healthAddress ?? '').catch((error: { code: number }) => error.code);
    expect(services).toBe(status.UNIMPLEMENTED);
    await server.close();
    const [host, port] = (server.healthAddress ?? '').split(':');
    const refused = await new Promise((resolve) => connect(Number(port), host).once('error', resolve));
    expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('an address that cannot be had leaves no port open', async () => {
    const { server } = await start();
    await expect(start({ healthListen: server.address })).rejects.toThrow(/the port is in use/);
  });
});

/** The names of all services that reflection tells. @throws what the server refuses with */
function reflected(address: string, token?: string): Promise<string[]> {
  const proto = 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto';
  const loaded = loadPackageDefinition(loadSync(proto)) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: ReturnType<typeof makeClientConstructor> } } };
  };
  const client = new loaded.grpc.reflection.v1.ServerReflection(address, credentials.createInsecure());
  cleanups.push(() => client.close());
  const call = client.ServerReflectionInfo(tokenMetadata(token));
  return new Promise((resolve, reject) => {
    call.on('error', reject);
    call.on('data', (answer: { listServicesResponse: { service: { name: string }[] } }) => {
      call.end();
      resolve(answer.listServicesResponse.service.map(({ name }) => name));
    });
    call.write({ listServices: '' });
  });
}

describe('server reflection', () => {
  test('is off unless asked for', async () => {
    const { server } = await start();
    await expect(reflected(server.address)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  test('tells the services to whoever bears the token, and to nobody else', async () => {
    const token = newToken();
    const { server } = await start({ token, reflection: true });
    expect((await reflected(server.address, token)).sort()).toEqual(['dpfl.v1.Aggregation', 'grpc.health.v1.Health']);
    await expect(reflected(server.address)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });
});
