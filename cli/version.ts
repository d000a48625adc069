import { readFileSync } from 'node:fs';

/** The version in package.json, which stands one level above the sources and two above the built files. */
export function version(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // not at this level
    }
  }
  return 'unknown';
}
