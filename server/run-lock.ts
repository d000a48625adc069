import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { link, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ConfigError, DataError } from '../errors.ts';
import { livesHere, type ProcessIdentity, processIdentity, thisProcess } from './process-identity.ts';

/** Name of the lock in its run directory. */
export const LOCK_NAME = 'run.lock';

const GUARD_PAUSE_MS = 20;

/** What file systems without hard links answer. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

const holderSchema = processIdentity.extend({ token: z.string() });
type Holder = z.infer<typeof holderSchema>;

export interface LockOptions {
  /** Seconds between signs of life. Default 15. */
  readonly beatSeconds?: number;
  /** Seconds without a sign of life after which a holder that cannot be looked at is taken for dead. Default 120. */
  readonly staleSeconds?: number;
  /** Seconds after which a lock that is being taken over is taken for one that will never be. Default 5. */
  readonly guardSeconds?: number;
  /** Hears that the lock of a process elsewhere is watched for signs of life, and that an abandoned one was taken over. */
  readonly log?: (line: string) => void;
  /** Default: this process, as the operating system knows it. */
  readonly self?: ProcessIdentity;
}

/**
 * Keeps a second process from writing to a run directory: a file that names its holder and is rewritten as a sign of life.
 *
 * A holder on this machine (same boot, same process namespace) is looked up, so that the lock of a killed process is taken over at once
 * and that of a suspended one never. One elsewhere (another host, another container, before a reboot) is watched: it is alive
 * when the file is rewritten, dead when it was not for `staleSeconds`. Ages are differences of two times of the file system,
 * so that clocks of hosts need not agree.
 */
export class RunLock {
  readonly #path: string;
  readonly #holder: Holder;
  readonly #beat: NodeJS.Timeout;
  readonly #atExit = () => this.#removeNow();
  #lost: Error | undefined;

  /**
   * Takes the lock of `directory`.
   * @throws ConfigError when another process has it
   */
  static async acquire(directory: string, options: LockOptions = {}): Promise<RunLock> {
    const { staleSeconds = 120, guardSeconds = 5, log = () => undefined, self = thisProcess() } = options;
    const path = join(directory, LOCK_NAME);
    const holder = { ...self, token: randomUUID() };
    while (!(await create(path, holder))) {
      const found = await look(path);
      if (found === undefined) continue;
      if (!(await isAbandoned(path, found, self, staleSeconds, log))) {
        throw new ConfigError(
          `${directory}: ${words(found.holder)} is working on this run; stop it first (or, if it is certain that it is gone, delete ${path})`,
        );
      }
      if (!(await takeOver(path, found, holder, guardSeconds))) continue;
      log(`${directory}: took over the lock of ${words(found.holder)}, which is gone`);
      break;
    }
    await sweep(path);
    return new RunLock(path, holder, options);
  }

  private constructor(path: string, holder: Holder, { beatSeconds = 15 }: LockOptions) {
    this.#path = path;
    this.#holder = holder;
    // A lost lock shows at the next `requireHeld`; a sign of life that could not be written is tried again.
    this.#beat = setInterval(() => void this.#giveSign().catch(() => undefined), beatSeconds * 1000);
    this.#beat.unref();
    process.once('exit', this.#atExit);
  }

  /**
   * To be called before the run directory is written to: a process that slept for long may have lost its lock meanwhile.
   * @throws DataError when it has
   */
  async requireHeld(): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    const found = await look(this.#path);
    if (found?.holder?.token !== this.#holder.token) throw this.#lose(found);
  }

  /** Gives the lock back. */
  async release(): Promise<void> {
    this.#stop();
    const found = await look(this.#path);
    if (found?.holder?.token === this.#holder.token) await rm(this.#path, { force: true });
  }

  async #giveSign(): Promise<void> {
    await this.requireHeld();
    const file = await open(this.#path, 'r+');
    try {
      await file.write(contentOf(this.#holder), 0);
    } finally {
      await file.close();
    }
  }

  #lose(found: Found | undefined): Error {
    this.#lost = new DataError(
      `${this.#path}: the lock was lost to ${words(found?.holder)}, and this run ends; its last checkpoint is whole`,
    );
    this.#stop();
    return this.#lost;
  }

  #stop(): void {
    clearInterval(this.#beat);
    process.off('exit', this.#atExit);
  }

  #removeNow(): void {
    try {
      if (parseHolder(readFileSync(this.#path, 'utf8'))?.token === this.#holder.token) rmSync(this.#path);
    } catch {
      // Gone already, or for the next process to judge.
    }
  }
}

interface Found {
  /** Undefined when the file cannot be understood. */
  readonly holder: Holder | undefined;
  /** When it was last written, in milliseconds of the file system's clock. */
  readonly written: number;
}

/** Makes the file, with its whole content at once; false when there is one. */
async function create(path: string, holder: Holder): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, contentOf(holder), { flag: 'wx' });
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (!NO_LINKS.includes(error.code ?? '')) throw error;
      return writeFile(path, contentOf(holder), { flag: 'wx' });
    });
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // ENOENT: whoever got the lock meanwhile has swept the draft away.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw new ConfigError(`${path}: the lock of the run cannot be made (${code ?? message})`, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes what processes left that were killed while they took the lock. */
async function sweep(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix)) await rm(join(dirname(path), name), { force: true });
  }
}

async function look(path: string): Promise<Found | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { holder: parseHolder(text), written: mtimeMs };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new DataError(`${path}: the lock of the run cannot be read (${code ?? message})`, { cause: error });
  }
}

async function isAbandoned(
  path: string,
  { holder, written }: Found,
  self: ProcessIdentity,
  staleSeconds: number,
  log: (line: string) => void,
): Promise<boolean> {
  const here = holder === undefined ? undefined : livesHere(holder, self);
  if (here !== undefined) return !here;
  for (let told = false; ; told = true) {
    const left = staleSeconds * 1000 - ((await fileSystemNow(path)) - written);
    if (left <= 0) return true;
    const wait = Math.ceil(left / 1000);
    if (!told) log(`${path}: held by ${words(holder)}; watching up to ${wait} s for a sign of life`);
    await sleep(Math.min(left + 1, 1000));
    const found = await look(path);
    if (found === undefined || found.holder?.token !== holder?.token) return true;
    if (found.written !== written) return false;
  }
}

/** The file system's clock, which also dated the lock. */
async function fileSystemNow(path: string): Promise<number> {
  const probe = `${path}.clock-${process.pid}`;
  const file = await open(probe, 'w');
  try {
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
    await rm(probe, { force: true });
  }
}

/**
 * Puts `holder` in the place of an abandoned lock. Of several that find it abandoned, the one that makes the guard file may;
 * the others look again. False when the lock was no longer the one that was found.
 * @throws ConfigError when the guard stays: its maker was killed, on another machine, in the milliseconds that it exists
 */
async function takeOver(path: string, found: Found, holder: Holder, guardSeconds: number): Promise<boolean> {
  const guard = `${path}.guard`;
  for (let tries = 0; !(await create(guard, holder)); tries++) {
    const maker = (await look(guard))?.holder;
    if (maker !== undefined && livesHere(maker, holder) === false) await rm(guard, { force: true });
    if (tries * GUARD_PAUSE_MS > 1000 * guardSeconds) {
      throw new ConfigError(`${guard}: left by a process that was killed; delete it and try again`);
    }
    await sleep(GUARD_PAUSE_MS);
    if (!(await isStill(path, found))) return false;
  }
  try {
    if (!(await isStill(path, found))) return false;
    const mine = `${path}.${holder.token}`;
    await writeFile(mine, contentOf(holder));
    await rename(mine, path);
    return (await look(path))?.holder?.token === holder.token;
  } finally {
    await rm(guard, { force: true });
  }
}

async function isStill(path: string, found: Found): Promise<boolean> {
  const now = await look(path);
  return now !== undefined && now.holder?.token === found.holder?.token;
}

function contentOf(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`;
}

function parseHolder(text: string): Holder | undefined {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function words(holder: Holder | undefined): string {
  return holder === undefined ? 'an unknown process' : `process ${holder.pid} on ${holder.host}`;
}
