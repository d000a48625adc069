import { credentials, makeClientConstructor, type ServiceDefinition, type ServiceError } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { ProtocolError } from '../errors.ts';
import type { HealthOptions } from './commands/health.ts';
import { requireAddress } from './require-address.ts';
import { tlsOf } from './security.ts';

const HealthClient = makeClientConstructor(service as ServiceDefinition, 'Health');

/**
 * `dpfl health`: prints the status of the server at `address` (`host:port`).
 * @throws ConfigError for a malformed address or TLS files; ProtocolError when it is not SERVING, or does not answer in time
 */
export async function checkHealth(address: string, options: HealthOptions): Promise<void> {
  requireAddress(address, 'dpfl health');
  const tls = tlsOf(options);
  const channel = tls ? credentials.createSsl(tls.ca, tls.key, tls.cert) : credentials.createInsecure();
  const client = new HealthClient(address, channel, { 'grpc.enable_http_proxy': 0 });
  const deadline = Date.now() + options.timeout * 1000;
  try {
    const status = await new Promise<string>((resolve, reject) => {
      client.check({ service: '' }, { deadline }, (error: ServiceError | null, answer?: { status: string }) => {
        if (error === null) resolve(answer?.status ?? 'UNKNOWN');
        else
          reject(new ProtocolError(`${address}: no answer from a health service (${error.details})`, { cause: error }));
      });
    });
    if (status !== 'SERVING') throw new ProtocolError(`${address}: ${status}`);
    process.stdout.write(`${status}\n`);
  } finally {
    client.close();
  }
}
