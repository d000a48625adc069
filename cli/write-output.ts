import { writeFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';

/** Writes a file the user asked for. @throws ConfigError when it cannot be written */
export function writeOutput(file: string, content: string | Uint8Array): void {
  try {
    writeFileSync(file, content);
  } catch (error) {
    throw new ConfigError(`${file}: cannot be written (${(error as Error).message}); check the folder`);
  }
}
