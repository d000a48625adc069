import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { ConfigError } from '../errors.ts';

/**
 * Binds `server` to `address` (`host:port`; port 0 takes any free port).
 * @returns the address with the real port
 * @throws ConfigError when the address is malformed, in use, or not this machine's
 */
export async function listen(server: Server, address: string): Promise<string> {
  const parts = /^(.+):(\d+)$/.exec(address);
  if (parts === null || Number(parts[2]) > 65535) {
    throw new ConfigError(`listen '${address}': give it as host:port, for instance 127.0.0.1:7000 or 0.0.0.0:7000`);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new ConfigError(`listen '${address}': ${mend(error.message)}`, { cause: error }));
      else resolve(bound);
    });
  });
  return `${parts[1]}:${port}`;
}

function mend(message: string): string {
  if (message.includes('EADDRINUSE')) {
    return 'the port is in use; stop the program that holds it, choose another port, or port 0 for any free one';
  }
  if (message.includes('EACCES')) return 'this user may not open that port; choose one above 1023';
  if (message.includes('EADDRNOTAVAIL')) return "the address is not this machine's; use 0.0.0.0 to listen on all";
  return `cannot listen (${message}); check host and port`;
}

/** Where a process on the same machine reaches a server that listens on `address`. */
export function loopbackAddress(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}
