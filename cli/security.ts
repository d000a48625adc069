import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { isLoopback } from '../proto/address.ts';
import { readTls, type TlsIdentity } from '../proto/tls.ts';
import { newToken, TOKEN_VARIABLE, tokenIn } from '../proto/token.ts';
import type { SecurityOptions, TlsOptions } from './commands/security-options.ts';

/** How one side of the wire protects itself. */
export interface Security {
  readonly tls?: TlsIdentity | undefined;
  readonly token?: string | undefined;
  /** The server made the token itself, and must tell the operator where it is. */
  readonly tokenIsNew?: boolean;
}

/**
 * The security of a server on `listen`. Beyond loopback, mutual TLS and a token are required; a token is made when none is given.
 * @param flags what the command calls its options, for messages
 * @throws ConfigError when plaintext would leave this machine without `--insecure`, or a file is wrong
 */
export function serverSecurity(
  listen: string,
  options: SecurityOptions,
  environment = process.env,
  flags = { tls: '--tls' },
): Security {
  const tls = tlsOf(options);
  const token = tokenOf(options, environment);
  if (isLoopback(listen)) return { tls, token };
  if (tls === undefined && !options.insecure) {
    throw new ConfigError(
      `--listen ${listen}: other machines can reach this address, and the traffic would be plaintext; make certificates with dpfl certs and give ${flags.tls} <dir>, listen on 127.0.0.1, or accept it with --insecure`,
    );
  }
  return { tls, token: token ?? newToken(), tokenIsNew: token === undefined };
}

/**
 * What a worker shows to `server`.
 * @throws ConfigError when the token would leave this machine in plaintext without `--insecure`, or a file is wrong
 */
export function workerSecurity(server: string, options: SecurityOptions, environment = process.env): Security {
  const tls = tlsOf(options);
  const token = tokenOf(options, environment);
  if (tls === undefined && !isLoopback(server) && !options.insecure) {
    throw new ConfigError(
      `--server ${server}: the traffic to another machine would be plaintext; give --tls <dir> with this worker's certificates (see dpfl certs), or accept it with --insecure`,
    );
  }
  return { tls, token };
}

/**
 * This side's half of mutual TLS, from its options; undefined when none is given.
 * @throws ConfigError when a file is missing or wrong
 */
export function tlsOf({ tls, tlsCert, tlsKey, tlsCa }: TlsOptions): TlsIdentity | undefined {
  if ([tls, tlsCert, tlsKey, tlsCa].every((path) => path === undefined)) return undefined;
  const file = (given: string | undefined, flag: string, name: string): string => {
    if (given !== undefined) return given;
    if (tls !== undefined) return join(tls, name);
    throw new ConfigError(
      `${flag} is missing: TLS needs certificate, key and authority; give all three, or --tls <dir>`,
    );
  };
  return readTls({
    cert: file(tlsCert, '--tls-cert', 'tls.crt'),
    key: file(tlsKey, '--tls-key', 'tls.key'),
    ca: file(tlsCa, '--tls-ca', 'ca.crt'),
  });
}

function tokenOf({ tokenFile }: SecurityOptions, environment: NodeJS.ProcessEnv): string | undefined {
  if (tokenFile === undefined) {
    const value = environment[TOKEN_VARIABLE];
    return value === undefined || value === '' ? undefined : tokenIn(value, TOKEN_VARIABLE);
  }
  let text: string;
  try {
    text = readFileSync(tokenFile, 'utf8');
  } catch (cause) {
    throw new ConfigError(`--token-file ${tokenFile}: the file cannot be read`, { cause });
  }
  return tokenIn(text, `--token-file ${tokenFile}`);
}
