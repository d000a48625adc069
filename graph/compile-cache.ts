import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Binding } from './binding.ts';
import type { Artifact } from './compile.ts';
import { fixedPartFingerprint } from './fingerprint.ts';
import { layersOf } from './forward.ts';
import type { Model } from './ir.ts';

/** Compiles one kind of graph. */
export type Compile<Options = object> = (model: Model, binding: Binding, options?: Options) => Artifact;

/** Graphs kept; the ones unused for longest go first. */
const kept = 64;

/** Milliseconds after which an unfinished file belongs to no living writer. */
const abandoned = 3_600_000;

const digestLength = 32;

/**
 * Compiled graphs on disk, each in a file named by the hash of all that it depends on: the model but for the values of its trained
 * weights, the binding, and the compiler's own files. A file begins with the SHA-256 of the rest; one that does not fit is compiled and written
 * again. Files appear by renaming, so that several processes may write at once. Trouble with the disk only costs the time to compile.
 */
export class CompileCache {
  /** undefined keeps nothing. */
  readonly directory: string | undefined;

  constructor(directory: string | undefined) {
    this.directory = directory;
  }

  /** `compile(model, binding, options)`, or what it gave when it last did. @param kind names the function, for the key */
  artifact<Options>(
    kind: 'training' | 'forward',
    model: Model,
    binding: Binding,
    compile: Compile<Options>,
    options?: Options,
  ): Artifact {
    if (this.directory === undefined) return compile(model, binding, options);
    const layers = layersOf(model);
    const key = createHash('sha256')
      .update(JSON.stringify([kind, compilerFingerprint(), fixedPartFingerprint(model), layers, binding, options]))
      .digest('hex');
    const file = join(this.directory, `${key}.step`);
    const known = readVerified(file);
    if (known) return { onnx: known, layers };
    const artifact = compile(model, binding, options);
    this.write(file, artifact.onnx);
    return artifact;
  }

  private write(file: string, onnx: Uint8Array): void {
    const unfinished = `${file}.${randomUUID()}.tmp`;
    try {
      mkdirSync(this.directory!, { recursive: true });
      writeFileSync(unfinished, Buffer.concat([digest(onnx), onnx]));
      renameSync(unfinished, file);
      prune(this.directory!);
    } catch {
      // A full or read-only disk: the graph is compiled anew next time.
      discard(unfinished);
    }
  }
}

function discard(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // There was no directory to write it to.
  }
}

/**
 * The directory of the cache: `$DPFL_CACHE`, where `off` is for none; by default the system's place for caches
 * (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`).
 */
export function cacheDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  const { DPFL_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (DPFL_CACHE === 'off') return undefined;
  if (DPFL_CACHE) return DPFL_CACHE;
  if (platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'dpfl', 'cache');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'dpfl');
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'dpfl');
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** The graph in a file, if it is there and whole. */
function readVerified(file: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    const onnx = bytes.subarray(digestLength);
    if (bytes.length <= digestLength || !digest(onnx).equals(bytes.subarray(0, digestLength))) return undefined;
    const now = new Date();
    utimesSync(file, now, now);
    return onnx;
  } catch {
    return undefined;
  }
}

/** Removes the files unused for longest, and what dead writers left behind. */
function prune(directory: string): void {
  const files = readdirSync(directory)
    .filter((name) => /\.(step|tmp)$/.test(name))
    .map((name) => {
      const path = join(directory, name);
      return { path, used: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0, unfinished: name.endsWith('.tmp') };
    });
  const finished = files.filter(({ unfinished }) => !unfinished).sort((a, b) => b.used - a.used);
  const dead = files.filter(({ unfinished, used }) => unfinished && used < Date.now() - abandoned);
  for (const { path } of [...finished.slice(kept), ...dead]) discard(path);
}

let ownFingerprint: string | undefined;

/** SHA-256 of the compiler's files: another version of dpfl, or one that is being worked on, finds none of the old graphs. */
function compilerFingerprint(): string {
  if (ownFingerprint !== undefined) return ownFingerprint;
  const room = dirname(fileURLToPath(import.meta.url));
  const hash = createHash('sha256');
  const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).filter((name) =>
    ['.js', '.ts'].includes(extname(name)),
  );
  for (const name of files.sort()) hash.update(`${name}\0`).update(readFileSync(join(room, name)));
  ownFingerprint = hash.digest('hex');
  return ownFingerprint;
}
