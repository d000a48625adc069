import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';

/** One side's half of mutual TLS: its own certificate, and the authority that must have signed the other side's. PEM. */
export interface TlsIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** The three files of an identity. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/**
 * Reads one side's identity, and checks what would otherwise show as a handshake that fails without a word why.
 * @throws ConfigError naming the file that is missing, malformed, expired, or does not fit the others
 */
export function readTls(files: TlsFiles, now: Date = new Date()): TlsIdentity {
  const [cert, key, ca] = [read(files.cert), read(files.key), read(files.ca)];
  const own = certificate(cert, files.cert);
  const authority = certificate(ca, files.ca);
  requireValid(own, files.cert, now);
  requireValid(authority, files.ca, now);
  let matches: boolean;
  try {
    matches = own.checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new ConfigError(`${files.key}: this is not a private key in PEM without a pass phrase`, { cause });
  }
  if (!matches) throw new ConfigError(`${files.key}: this is not the key of the certificate ${files.cert}`);
  return { cert, key, ca };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
    throw new ConfigError(`${path}: this TLS file ${reason}; make certificates with: dpfl certs`, { cause });
  }
}

function certificate(pem: Buffer, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ConfigError(`${path}: this is not a certificate in PEM`, { cause });
  }
}

function requireValid({ validFrom, validTo }: X509Certificate, path: string, now: Date): void {
  if (new Date(validTo) < now) throw new ConfigError(`${path}: the certificate expired on ${validTo}; make a new one`);
  if (new Date(validFrom) > now) {
    throw new ConfigError(`${path}: the certificate is not valid before ${validFrom}; check this machine's clock`);
  }
}
