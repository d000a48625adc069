import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.ts';
import { formatLedgerEntry, type LedgerEntry } from '../privacy/ledger.ts';
import { appendDurably, writeAtomically } from './durable-files.ts';
import { RunLock } from './run-lock.ts';

/** A line of `rounds.jsonl` or `ledger.jsonl`: anything that says of which central step it is. */
export interface RoundLine {
  readonly round: number;
}

/**
 * A run directory, the public record of a run:
 * config.yaml, manifest.json, rounds.jsonl, ledger.jsonl, checkpoints/, model.onnx and the reports.
 */
export class RunDirectory {
  readonly path: string;
  #lock: RunLock | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes `<parent>/<name>-001`, or the next number that is free.
   * @throws ConfigError when nothing can be made there
   */
  static async create(parent: string, name: string): Promise<RunDirectory> {
    await makeParent(parent);
    for (let number = 1; ; number++) {
      const path = join(parent, `${name}-${String(number).padStart(3, '0')}`);
      // mkdir is atomic: of two runs that start at once each gets its own number.
      if (await makeNew(path)) return new RunDirectory(path);
    }
  }

  /**
   * An existing run directory.
   * @throws ConfigError when there is none at `path`
   */
  static async open(path: string): Promise<RunDirectory> {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory()) throw new ConfigError(`${path}: there is no run directory here`);
    return new RunDirectory(path);
  }

  /**
   * Keeps other processes from writing here until `unlock` or the end of this process.
   * @param log hears of a lock that is watched or taken over
   * @throws ConfigError when another process works on the run
   */
  async lock(log?: (line: string) => void): Promise<void> {
    this.#lock ??= await RunLock.acquire(this.path, { log });
  }

  /** Gives the lock back, if there is one. */
  async unlock(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
  }

  /**
   * To be called before anything is written.
   * @throws DataError when the lock was lost to another process
   */
  async requireOurs(): Promise<void> {
    await this.#lock?.requireHeld();
  }

  get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }

  get roundsFile(): string {
    return join(this.path, 'rounds.jsonl');
  }

  get ledgerFile(): string {
    return join(this.path, 'ledger.jsonl');
  }

  /** Writes one of the directory's whole files (config.yaml, manifest.json, model.onnx, a report) atomically. */
  async write(name: string, content: Uint8Array | string): Promise<void> {
    await this.requireOurs();
    await writeAtomically(join(this.path, name), [content]);
  }

  /** Appends a record to `rounds.jsonl`; on return it is on the disk. */
  async appendRound(record: RoundLine): Promise<void> {
    await this.requireOurs();
    await appendDurably(this.roundsFile, `${JSON.stringify(record)}\n`);
  }

  /** Appends an entry to `ledger.jsonl`; on return it is on the disk. */
  async appendLedger(entry: LedgerEntry): Promise<void> {
    await this.requireOurs();
    await appendDurably(this.ledgerFile, `${formatLedgerEntry(entry)}\n`);
  }

  /**
   * Drops the lines of rounds after `round`, and a last line torn by a crash, from a JSON-lines file of this directory.
   * @returns the lines that stay
   * @throws DataError when another line is damaged
   */
  async truncate(file: string, round: number): Promise<RoundLine[]> {
    await this.requireOurs();
    const lines = await readLines(file);
    const kept = lines.filter((line) => line.round <= round);
    await writeAtomically(
      file,
      kept.map((line) => `${JSON.stringify(line)}\n`),
    );
    return kept;
  }
}

/**
 * The lines of a JSON-lines file of rounds; none when there is no file. A last line without its line feed was torn by a
 * crash and is left out.
 * @throws DataError when another line is damaged
 */
export async function readLines(file: string): Promise<RoundLine[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new DataError(`${file}: cannot be read`, { cause: error });
  });
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => parseLine(line, `${file}:${index + 1}`));
}

function parseLine(line: string, place: string): RoundLine {
  try {
    const value: unknown = JSON.parse(line);
    if (isRoundLine(value)) return value;
  } catch (cause) {
    throw new DataError(`${place}: this line is not JSON; the file is damaged`, { cause });
  }
  throw new DataError(`${place}: this line has no round; the file is damaged`);
}

function isRoundLine(value: unknown): value is RoundLine {
  return typeof value === 'object' && value !== null && 'round' in value && typeof value.round === 'number';
}

async function makeParent(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => refuse(path, error));
}

async function makeNew(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    return refuse(path, error);
  }
}

function refuse(path: string, cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in the way' : (code ?? message);
  throw new ConfigError(`${path}: the directory cannot be made (${why}); choose another with output or --output`, {
    cause,
  });
}
