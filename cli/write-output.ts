import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { ConfigError } from '../errors.ts';

/** Writes a file the user asked for, whole or piece by piece. @throws ConfigError when it cannot be written */
export function writeOutput(file: string, content: string | Uint8Array | Iterable<string>): void {
  try {
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(file, content);
    else writePieces(file, content);
  } catch (error) {
    throw new ConfigError(`${file}: cannot be written (${(error as Error).message}); check the folder`);
  }
}

function writePieces(file: string, pieces: Iterable<string>): void {
  const descriptor = openSync(file, 'w');
  try {
    for (const piece of pieces) writeWhole(descriptor, Buffer.from(piece));
  } finally {
    closeSync(descriptor);
  }
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}
