import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { ConfigError } from '../../errors.ts';

/** Scrapers at a time, and milliseconds that one may take to ask. */
const MAX_CONNECTIONS = 16;
const PATIENCE = 10_000;

/** An open HTTP port with `/metrics`. */
export interface MetricsEndpoint {
  /** `host:port` with the real port. */
  readonly address: string;
  close(): void;
}

/**
 * Serves the registry's figures in Prometheus' text format, to GET /metrics alone.
 * @param given `host:port`, or a port on 127.0.0.1; port 0 takes any free one
 * @throws ConfigError when the address is malformed or cannot be had
 */
export async function serveMetrics(given: string, registry: Registry): Promise<MetricsEndpoint> {
  const parts = /^(?:(.+):)?(\d{1,5})$/.exec(given);
  if (parts === null || Number(parts[2]) > 65535) {
    throw new ConfigError(`--metrics '${given}': give it as host:port, for instance 127.0.0.1:9464`);
  }
  const host = parts[1] ?? '127.0.0.1';
  const server = createServer({ headersTimeout: PATIENCE, requestTimeout: PATIENCE }, (request, response) => {
    if (request.url !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(new ConfigError(`--metrics '${given}': cannot listen (${cause.code}); choose another port`, { cause })),
    );
    server.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(parts[2]) }, resolve);
  });
  // Figures keep no process alive.
  server.unref();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `${host}:${(server.address() as AddressInfo).port}`, close };
}
