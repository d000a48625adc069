import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError } from '../errors.ts';
import { readConfigDocument } from './config-document.ts';
import { explainIssues } from './config-issues.ts';

/** Keys that hold a path to a file or directory the user brings. */
const PATH_KEYS = [
  ['model', 'path'],
  ['data', 'path'],
] as const;

/**
 * Reads, overrides and validates a configuration.
 * `model.path` and `data.path` become absolute: relative to the YAML file when they stand in it, to the current
 * directory when `--set` gave them.
 * @param schema what the configuration must look like; every command passes `runConfig` of server/run-config.ts
 * @param overrides `--set` texts, `key=value` with a dotted key
 * @throws ConfigError with one line per mistake, each naming file, line and key
 */
export function loadConfig<Schema extends z.ZodType>(
  schema: Schema,
  file: string,
  overrides: readonly string[] = [],
): z.infer<Schema> {
  const document = readConfigDocument(file, overrides);
  for (const [section, key] of PATH_KEYS) {
    const holder = document.value[section] as Record<string, unknown> | null | undefined;
    if (typeof holder !== 'object' || holder === null || typeof holder[key] !== 'string') continue;
    holder[key] = resolve(document.isOverridden([section, key]) ? '.' : dirname(file), holder[key]);
  }
  const parsed = schema.safeParse(document.value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(explainIssues(schema, document, parsed.error.issues).join('\n'));
}
