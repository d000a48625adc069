import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';

/**
 * Writes a token that the server made into the run directory, for its owner's eyes only, from where the operator brings it to
 * the workers. It is worth nothing once the run has ended, and is deleted then.
 * @returns path of the file
 * @throws ConfigError when it cannot be written
 */
export function writeTokenFile(runDirectory: string, token: string): string {
  const path = tokenFile(runDirectory);
  try {
    // Of a run that was killed; a new file gets the mode, an old one would keep its own.
    rmSync(path, { force: true });
    writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new ConfigError(`${path}: the run's token cannot be written; give one by --token-file or DPFL_TOKEN`, {
      cause,
    });
  }
  return path;
}

/** Deletes what `writeTokenFile` wrote. */
export function removeTokenFile(runDirectory: string): void {
  rmSync(tokenFile(runDirectory), { force: true });
}

function tokenFile(runDirectory: string): string {
  return join(runDirectory, 'worker.token');
}
