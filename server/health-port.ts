import { Server } from '@grpc/grpc-js';
import { wireOptions } from '../proto/load.ts';
import type { Health } from './health.ts';
import { listen } from './listen.ts';

/** Probes at a time, and seconds that a connection may stay. */
const MAX_CONNECTIONS = 64;
const SECONDS = 20;

/** An open port for probes. */
export interface HealthPort {
  /** `host:port` with the real port. */
  readonly address: string;
  /** Stops listening. */
  close(): void;
}

/**
 * A port of its own with the health service alone, in plaintext: for probes that can show no certificate, such as Kubernetes'.
 * @param address `host:port`; port 0 takes any free port
 * @throws ConfigError when the address cannot be had
 */
export async function openHealthPort(address: string, health: Health): Promise<HealthPort> {
  const server = new Server({ ...wireOptions, 'grpc.max_concurrent_streams': 4 });
  health.addTo(server);
  const listener = await listen(server, {
    address,
    maxConnections: MAX_CONNECTIONS,
    helloSeconds: SECONDS,
    onTurnedAway: () => undefined,
  });
  return { address: listener.address, close: () => listener.destroy() };
}
