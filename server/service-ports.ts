import { Server } from '@grpc/grpc-js';
import { Aggregation, wireOptions } from '../proto/load.ts';
import type { Admission } from './admission.ts';
import { Health } from './health.ts';
import { type HealthPort, openHealthPort } from './health-port.ts';
import { type Listener, listen } from './listen.ts';
import type { AggregationOptions } from './service-options.ts';
import type { WorkerStream } from './worker-session.ts';

/** Where and how a server listens. */
export type PortOptions = Pick<
  AggregationOptions,
  'listen' | 'tls' | 'maxWorkers' | 'helloSeconds' | 'healthListen' | 'reflection'
>;

/** The open ports of a server. */
export interface ServicePorts {
  /** Where workers connect. */
  readonly listener: Listener;
  /** What probes are told, at either port. */
  readonly health: Health;
  /** Where probes connect that can show no certificate. */
  readonly healthPort: HealthPort | undefined;
}

/** Half-open connections are noticed (a worker may block its thread in a long training run, but not for ever), idle ones closed. */
const serverOptions = {
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 300_000,
  'grpc.max_connection_idle_ms': 300_000,
  // A worker needs one.
  'grpc.max_concurrent_streams': 4,
};

/**
 * Listens for workers and probes.
 * @param onStream takes the stream of each worker
 * @throws ConfigError when an address cannot be had
 */
export async function openPorts(
  { listen: address, tls, maxWorkers = 1024, helloSeconds = 20, healthListen, reflection }: PortOptions,
  admission: Admission,
  onStream: (call: WorkerStream) => void,
): Promise<ServicePorts> {
  const server = new Server({ ...wireOptions, ...serverOptions });
  server.addService(Aggregation.service, { Work: onStream });
  const health = new Health();
  let listener: Listener | undefined;
  health.addTo(server, (peer) => listener?.probed(peer));
  if (reflection) {
    const { addReflection } = await import('./reflection.ts');
    addReflection(server, (metadata, peer) => admission.objection(metadata, peer, 0));
  }
  listener = await listen(server, {
    address,
    tls,
    maxConnections: 2 * maxWorkers,
    helloSeconds,
    onTurnedAway: (line) => admission.report(line),
  });
  return { listener, health, healthPort: await openPort(healthListen, health, listener) };
}

/** The port for probes, if there is to be one; the server's own is closed when that cannot be had. */
async function openPort(
  address: string | undefined,
  health: Health,
  listener: Listener,
): Promise<HealthPort | undefined> {
  if (address === undefined) return undefined;
  try {
    return await openHealthPort(address, health);
  } catch (error) {
    listener.destroy();
    throw error;
  }
}
