import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from '@jest/globals';

/** Folder of the real data sets; set DPFL_DATA to point elsewhere. */
const ROOT = resolve(process.env.DPFL_DATA ?? '../shared/data');

/** Absolute path of a real data set. */
export function dataPath(...parts: string[]): string {
  return join(ROOT, ...parts);
}

/** `test` when the path exists; otherwise a visibly skipped test that says what is missing. */
export function testWith(path: string): (name: string, body: () => void) => void {
  return (name, body) => {
    if (existsSync(path)) test(name, body);
    else test.skip(`${name} (needs ${path}; set DPFL_DATA)`, body);
  };
}
