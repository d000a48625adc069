import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ProtocolError } from '../errors.ts';
import { loopbackAddress } from '../proto/address.ts';
import { TOKEN_VARIABLE } from '../proto/token.ts';

export interface LocalWorkersOptions {
  /** Worker processes to keep running. */
  readonly count: number;
  /** Address the aggregation server listens on. */
  readonly server: string;
  /** The run's token, if the server asks for one. */
  readonly token?: string;
  /** Told once, when no worker is left and none may be started again; the message ends with what a worker wrote last. */
  readonly onAllFailed: (error: ProtocolError) => void;
  /** Program and arguments before `--server`; default: this Node.js with the built command line's `worker`. */
  readonly command?: readonly string[];
  /** How often each worker may be started again after a crash. Default 3. */
  readonly maxRestarts?: number;
  /** Seconds before the first restart; doubled for each further one. Default 0.5. */
  readonly restartSeconds?: number;
  /** Takes one line when a worker crashed. */
  readonly log?: (line: string) => void;
}

interface Slot {
  readonly name: string;
  crashes: number;
  child: ChildProcess | undefined;
  restart: NodeJS.Timeout | undefined;
  stderr: string;
}

/** Enough for an error message and the top of a stack trace. */
const TAIL_CHARACTERS = 4000;

/**
 * The worker processes a server starts on its own machine. They take no part in the terminal's signals (their server
 * ends them, after its last checkpoint), read nothing, and exit by themselves when the server is gone.
 */
export class LocalWorkers {
  private readonly options: LocalWorkersOptions;
  private readonly command: readonly string[];
  private readonly slots: Slot[];
  private readonly killAll = () => this.kill('SIGKILL');
  private stopping = false;
  private reported = false;

  /** Starts the processes; whether they live shows at the aggregation server, or by `onAllFailed`. */
  static start(options: LocalWorkersOptions): LocalWorkers {
    const workers = new LocalWorkers(options);
    process.once('exit', workers.killAll);
    for (const slot of workers.slots) workers.spawn(slot);
    return workers;
  }

  private constructor(options: LocalWorkersOptions) {
    this.options = options;
    this.command = options.command ?? [
      process.execPath,
      // There is a worker per core, and little garbage but the buffers of outputs: collectors beside it would take other workers' cores.
      '--single-threaded-gc',
      fileURLToPath(new URL('../cli/main.js', import.meta.url)),
      'worker',
    ];
    this.slots = Array.from({ length: options.count }, (_, index) => ({
      name: `local-${index + 1}`,
      crashes: 0,
      child: undefined,
      restart: undefined,
      stderr: '',
    }));
  }

  /** Processes that run now. */
  running(): number {
    return this.slots.filter(({ child }) => child !== undefined).length;
  }

  /**
   * Waits for the workers to exit by themselves, as they do when the aggregation server is closed, then makes them.
   * @param seconds how long to wait before SIGTERM, and again before SIGKILL
   */
  async stop(seconds = 5): Promise<void> {
    this.stopping = true;
    for (const { restart } of this.slots) clearTimeout(restart);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (await this.exited(seconds)) break;
      this.kill(signal);
    }
    await this.exited(seconds);
    process.removeListener('exit', this.killAll);
  }

  private spawn(slot: Slot): void {
    const [program, ...first] = this.command;
    slot.restart = undefined;
    slot.stderr = '';
    const child = spawn(program, [...first, '--server', loopbackAddress(this.options.server), '--name', slot.name], {
      // The channel closes when this process ends, however it ends: the worker then ends as well.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: environment(this.options.token),
      // A process group of its own, so that Ctrl-C reaches the server only.
      detached: true,
      windowsHide: true,
    });
    slot.child = child;
    child.channel?.unref();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      slot.stderr = (slot.stderr + text).slice(-TAIL_CHARACTERS);
    });
    child.once('error', (error) => this.ended(slot, child, `could not be started: ${error.message}`));
    // 'close' comes after 'exit', when the last of stderr has been read.
    child.once('close', (code, signal) => {
      this.ended(slot, child, code === 0 ? undefined : signal ? `was ended by ${signal}` : `exited with code ${code}`);
    });
  }

  private ended(slot: Slot, child: ChildProcess, crash: string | undefined): void {
    if (slot.child !== child) return;
    slot.child = undefined;
    if (this.stopping || crash === undefined) return;
    slot.crashes += 1;
    const { maxRestarts = 3, restartSeconds = 0.5, log } = this.options;
    log?.(`worker '${slot.name}' ${crash}${said(slot.stderr.trim().split('\n').at(-1))}`);
    if (slot.crashes <= maxRestarts) {
      slot.restart = setTimeout(() => this.spawn(slot), restartSeconds * 1000 * 2 ** (slot.crashes - 1));
      return;
    }
    if (this.reported || this.slots.some(({ child, restart }) => child !== undefined || restart !== undefined)) return;
    this.reported = true;
    this.options.onAllFailed(
      new ProtocolError(
        `all ${this.slots.length} local workers failed ${maxRestarts + 1} times; the last ${crash}${said(slot.stderr.trim())}`,
      ),
    );
  }

  private kill(signal: NodeJS.Signals): void {
    for (const { child } of this.slots) child?.kill(signal);
  }

  private async exited(seconds: number): Promise<boolean> {
    const deadline = performance.now() + seconds * 1000;
    while (this.running() > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.running() === 0;
  }
}

function said(text = ''): string {
  return text === '' ? ' and wrote no message' : `: ${text}`;
}

/** The environment, unlike arguments, is not for other users to read. */
function environment(token: string | undefined): NodeJS.ProcessEnv {
  return token === undefined ? process.env : { ...process.env, [TOKEN_VARIABLE]: token };
}
