import { readFileSync } from 'node:fs';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parse, parseDocument } from 'yaml';
import { ConfigError } from '../errors.ts';

/** Where a key stands in a configuration: `['federation', 'rounds']`, list items by index. */
export type KeyPath = readonly (string | number)[];

/** A configuration as it was written: plain values, and the place each of them came from. */
export interface ConfigDocument {
  readonly file: string;
  /** The YAML file with all overrides applied; not yet validated. */
  readonly value: Record<string, unknown>;
  /** The place to name in a message about `path`: `configs/x.yaml:12`, or `--set federation.rounds`. */
  locate(path: KeyPath): string;
  /** Whether `path`, or something that contains it, was given by `--set` rather than by the file. */
  isOverridden(path: KeyPath): boolean;
}

/** `federation.rounds`, for messages; the empty string for the document itself. */
export function dotted(path: KeyPath): string {
  return path.join('.');
}

/**
 * Reads a YAML file and applies `--set` overrides to it.
 * @param file path to the YAML file
 * @param overrides `key=value` texts, the key dotted, the value YAML; an empty value removes the key
 * @throws ConfigError when the file is missing, is not YAML, has a key twice, or an override cannot be applied
 */
export function readConfigDocument(file: string, overrides: readonly string[] = []): ConfigDocument {
  const lineCounter = new LineCounter();
  const text = readText(file);
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) {
    const line = lineCounter.linePos(problem.pos[0]).line;
    const what =
      problem.code === 'DUPLICATE_KEY'
        ? `'${text.slice(problem.pos[0]).split(/[:\s]/, 1)[0]}' is written twice in the same section; keep one of the two`
        : `not valid YAML: ${problem.message}`;
    throw new ConfigError(`${file}:${line}: ${what}`);
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw new ConfigError(`${file}: not valid YAML: ${(error as Error).message}`);
  }
  if (!isSection(value)) {
    const found = value === null ? 'the file is empty' : 'the file is not a list of keys';
    throw new ConfigError(`${file}:1: ${found}; a configuration has sections such as 'model:' and 'federation:'`);
  }
  const overridden: string[][] = [];
  for (const text of overrides) overridden.push(applyOverride(value, text));

  const origin = (path: KeyPath) =>
    overridden.findLast((keys) => keys.length <= path.length && keys.every((key, i) => key === String(path[i])));
  return {
    file,
    value,
    locate: (path) => {
      const keys = origin(path);
      return keys ? `--set ${dotted(keys)}` : `${file}:${lineOf(document, lineCounter, path)}`;
    },
    isOverridden: (path) => origin(path) !== undefined,
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new ConfigError(`${file}: no such file; give the path of a YAML configuration`);
    if (code === 'EISDIR') throw new ConfigError(`${file}: is a directory; give the path of a YAML configuration`);
    throw new ConfigError(`${file}: cannot be read (${code ?? (error as Error).message})`);
  }
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Applies one `key=value` to `root` in place; returns the key's path. */
function applyOverride(root: Record<string, unknown>, text: string): string[] {
  const equals = text.indexOf('=');
  const keys = text.slice(0, equals).trim().split('.');
  if (equals < 1 || keys.includes('')) {
    throw new ConfigError(`--set ${text}: expected key=value with a dotted key, such as --set federation.rounds=10`);
  }
  const source = text.slice(equals + 1);
  let value: unknown;
  try {
    value = parse(source, { prettyErrors: false });
  } catch (error) {
    throw new ConfigError(`--set ${text}: the value is not valid YAML: ${(error as Error).message}`);
  }
  let parent: Record<string, unknown> = root;
  for (const [depth, key] of keys.slice(0, -1).entries()) {
    const child = Object.hasOwn(parent, key) ? parent[key] : undefined;
    if (child === undefined || child === null) {
      // defineProperty: a key named __proto__ must become a key, not a prototype.
      define(parent, key, {});
    } else if (typeof child !== 'object') {
      throw new ConfigError(
        `--set ${text}: '${dotted(keys.slice(0, depth + 1))}' is a single value in the file, it has no keys below it`,
      );
    }
    parent = parent[key] as Record<string, unknown>;
  }
  const last = keys[keys.length - 1];
  if (source.trim() === '') delete parent[last];
  else define(parent, last, value);
  return keys;
}

function define(parent: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(parent, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Line of the deepest part of `path` that the file has: of the key for a map entry, of the value for a list item. */
function lineOf(document: Document, lineCounter: LineCounter, path: KeyPath): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (!pair || !isScalar(pair.key)) break;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)];
      const range = (node as { range?: [number, number, number] } | undefined)?.range;
      if (!range) break;
      offset = range[0];
    } else break;
  }
  return lineCounter.linePos(offset).line;
}
