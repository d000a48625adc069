import { connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { ConfigError } from '../../errors.ts';
import { Admission } from '../../server/admission.ts';
import { openPorts, type PortOptions, type ServicePorts } from '../../server/service-ports.ts';
import type { WorkerStream } from '../../server/worker-session.ts';
import { RawWorker } from '../support/wire.ts';

const opened: ServicePorts[] = [];
afterEach(() => {
  for (const { healthPort, listener } of opened.splice(0)) {
    healthPort?.close();
    listener.destroy();
  }
});

async function open(options: Partial<PortOptions> = {}, onStream: (call: WorkerStream) => void = () => undefined) {
  const admission = new Admission(undefined, 8, () => undefined);
  const ports = await openPorts({ listen: '127.0.0.1:0', ...options }, admission, onStream);
  opened.push(ports);
  return ports;
}

function accepts(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

test('a stream of a worker is handed on', async () => {
  let arrived: (call: WorkerStream) => void = () => undefined;
  const stream = new Promise<WorkerStream>((resolve) => {
    arrived = resolve;
  });
  const { listener } = await open({}, (call) => arrived(call));
  const worker = new RawWorker(listener.address);
  const call = await stream;
  expect(call.getPeer()).toMatch(/^127\.0\.0\.1:\d+$/);
  call.end();
  await worker.leave();
});

test('there is a port for probes only where one is asked for', async () => {
  expect((await open()).healthPort).toBeUndefined();
  const { healthPort } = await open({ healthListen: '127.0.0.1:0' });
  expect(await accepts(healthPort?.address ?? '')).toBe(true);
});

test('when the port for probes cannot be had, the other is closed again', async () => {
  const { listener } = await open();
  const free = await open();
  const { address } = free.listener;
  free.listener.destroy();
  opened.splice(opened.indexOf(free), 1);
  await expect(open({ listen: address, healthListen: listener.address })).rejects.toThrow(ConfigError);
  expect(await accepts(address)).toBe(false);
});
