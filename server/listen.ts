import { createServer } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { ConfigError } from '../errors.ts';
import type { TlsIdentity } from '../proto/tls.ts';
import { ConnectionGate } from './connection-gate.ts';

/** How a server listens. */
export interface ListenOptions {
  /** `host:port`; port 0 takes any free port. */
  readonly address: string;
  /** Mutual TLS; undefined for plaintext. */
  readonly tls?: TlsIdentity | undefined;
  /** Connections at a time; more are dropped at once. */
  readonly maxConnections: number;
  /** Seconds from connecting to a worker's Hello. */
  readonly helloSeconds: number;
  /** Hears of connections that ended without a worker's Hello. */
  readonly onTurnedAway: (line: string) => void;
}

/** A server's open port. */
export interface Listener {
  /** The address with the real port. */
  readonly address: string;
  /** A worker said Hello on the connection from `peer` (`address:port`). */
  admitted(peer: string): void;
  /** The connection from `peer` is a probe's: it may end without a word in the log, in the same time as any other. */
  probed(peer: string): void;
  /** Stops listening, and cuts every connection. */
  destroy(): void;
}

/**
 * Has `server` listen. The port is dpfl's own and hands accepted connections to gRPC, which by itself limits neither
 * their number nor the time they may take to say who they are.
 * @throws ConfigError when the address is malformed, in use, or not this machine's
 */
export async function listen(server: Server, options: ListenOptions): Promise<Listener> {
  const { host, port } = parseAddress(options.address);
  const { tls, maxConnections, helloSeconds, onTurnedAway } = options;
  const injector = server.createConnectionInjector(
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], true),
  );
  const gate = new ConnectionGate(helloSeconds, onTurnedAway);
  // The kernels of both machines answer such probes, also while a worker computes: a cut cable shows within a minute.
  const probing = { keepAlive: true, keepAliveInitialDelay: 30_000 };
  const door = createServer({ noDelay: true, ...probing }, (socket) => {
    gate.arrived(socket);
    injector.injectConnection(socket);
  });
  door.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    door.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ConfigError(`listen '${options.address}': ${mend(error)}`, { cause: error })),
    );
    door.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port }, resolve);
  });
  return {
    address: `${host}:${(door.address() as { port: number }).port}`,
    admitted: (peer) => gate.admitted(peer),
    probed: (peer) => gate.probed(peer),
    destroy: () => {
      door.close();
      server.forceShutdown();
      gate.destroy();
    },
  };
}

function parseAddress(address: string): { host: string; port: number } {
  const parts = /^(.+):(\d+)$/.exec(address);
  if (parts === null || Number(parts[2]) > 65535) {
    throw new ConfigError(`listen '${address}': give it as host:port, for instance 127.0.0.1:7000 or 0.0.0.0:7000`);
  }
  return { host: parts[1], port: Number(parts[2]) };
}

function mend({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use; stop the program that holds it, choose another port, or port 0 for any free one';
    case 'EACCES':
      return 'this user may not open that port; choose one above 1023';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return "the address is not this machine's; use 0.0.0.0 to listen on all";
    default:
      return `cannot listen (${message}); check host and port`;
  }
}
