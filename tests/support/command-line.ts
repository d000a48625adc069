import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe } from '@jest/globals';

/** The built command line; set DPFL_MAIN to test another build. */
const main = process.env.DPFL_MAIN ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const built = existsSync(main);

/** `describe` when the command line is built; otherwise visibly skipped. */
export function describeBuilt(name: string, body: () => void): void {
  if (built) describe(name, body);
  else describe.skip(`${name} (skipped: npm run build first)`, body);
}

/** How a command ended. */
export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Variables added to this process's own. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Seconds after which the command is killed and the test fails. */
  readonly seconds?: number;
}

const running = new Set<Command>();

/** A `dpfl` process under way. */
export class Command {
  /** Settles when the process is gone and its output read; rejects when it took too long. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #stdout = '';
  #stderr = '';
  #gone = false;
  #wake: () => void = () => undefined;

  constructor(args: readonly string[], { cwd, environment = {}, seconds = 60 }: CommandOptions = {}) {
    this.#child = spawn(process.execPath, [main, ...args], {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    running.add(this);
    this.ended = new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        void this.end();
        reject(new Error(`dpfl ${args.join(' ')}: not done after ${seconds} s; stderr:\n${this.#stderr}`));
      }, seconds * 1000);
      this.#child.once('error', reject);
      this.#child.once('close', (status) => {
        clearTimeout(late);
        running.delete(this);
        this.#gone = true;
        this.#wake();
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    // A test that failed for another reason does not wait for this one.
    this.ended.catch(() => undefined);
  }

  /** Waits for a line on stderr, and returns the match. @throws Error when the process ends without it */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stderr);
      if (match) return match;
      if (this.#gone) throw new Error(`dpfl ended without ${pattern}; stderr:\n${this.#stderr}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Whether the process has ended. */
  get gone(): boolean {
    return this.#gone;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Makes the process go, with the workers it started: a second SIGINT stops at once, SIGKILL would orphan them. */
  async end(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGINT', 'SIGKILL'] as const) {
      if (this.#gone) return;
      this.kill(signal);
      for (let waited = 0; waited < 1000 && !this.#gone; waited += 20)
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Runs `dpfl` to its end. */
export function dpfl(args: readonly string[], options?: CommandOptions): Promise<Ended> {
  return new Command(args, options).ended;
}

/** For `afterAll`: no test leaves a process behind. */
export async function endCommands(): Promise<void> {
  await Promise.all([...running].map((command) => command.end()));
}
