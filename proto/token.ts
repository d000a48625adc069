import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import { ConfigError } from '../errors.ts';

/** Environment variable that carries the token of a run: unlike an argument, it does not show in lists of processes. */
export const TOKEN_VARIABLE = 'DPFL_TOKEN';

const HEADER = 'authorization';
const SCHEME = 'Bearer ';

/** A fresh token: 256 random bits, too many to guess. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * The token in `text`, without the white space around it.
 * @param source says where it came from, for the message, which never repeats the token
 * @throws ConfigError when it is too short to be a secret, or holds characters that a header cannot carry
 */
export function tokenIn(text: string, source: string): string {
  const token = text.trim();
  if (!/^[\x21-\x7e]{16,512}$/.test(token)) {
    throw new ConfigError(
      `${source}: a token is 16 to 512 printable characters without spaces; make one with: openssl rand -hex 32`,
    );
  }
  return token;
}

/** What a worker sends when it opens a stream; without a token nothing. */
export function tokenMetadata(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set(HEADER, SCHEME + token);
  return metadata;
}

/** Whether `metadata` carries `token`. The time it takes tells nothing of where the two differ. */
export function bearsToken(metadata: Metadata, token: string): boolean {
  const [value] = metadata.get(HEADER);
  return typeof value === 'string' && timingSafeEqual(digest(value), digest(SCHEME + token));
}

/** Of equal length whatever the text, as the comparison needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
