import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** All on one thread, as the ONNX session is. */
const oneThread = { OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

const script = 'scripts/bench/pytorch_step.py';

/** A Python that can import torch: $PYTHON, python3 on the path, or the system's. */
function findPython(): string | undefined {
  if (!existsSync(script)) return undefined;
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'];
  return candidates.find((python) => python && spawnSync(python, ['-c', 'import torch']).status === 0);
}

/** A PyTorch process that answers requests, one JSON line each way, so that its runs can alternate with ours. */
export class PyTorch {
  readonly version: string;
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, version: string) {
    this.process = process;
    this.lines = lines;
    this.version = version;
  }

  /** undefined where there is no PyTorch. */
  static async start(): Promise<PyTorch | undefined> {
    const python = findPython();
    if (!python) return undefined;
    const child = spawn(python, [script], { env: { ...process.env, ...oneThread } });
    child.stderr.pipe(process.stderr);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new PyTorch(child, lines, (JSON.parse(value) as { torch: string }).torch);
  }

  /** Builds a model and its client. */
  prepare(workload: Readonly<Record<string, unknown>>): Promise<void> {
    return this.ask({ prepare: workload }).then(() => undefined);
  }

  /** Milliseconds of processor time of one client's local training. */
  async processorTime(): Promise<number> {
    return (await this.train()).processor;
  }

  /** Milliseconds of one client's local training, on the clock and of processor time. */
  async train(): Promise<{ readonly wall: number; readonly processor: number }> {
    return (await this.ask({ time: true })) as { wall: number; processor: number };
  }

  close(): void {
    this.process.stdin.end();
  }

  private async ask(request: unknown): Promise<unknown> {
    this.process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the PyTorch process ended; its message is above');
    return (JSON.parse(value) as { answer: unknown }).answer;
  }
}
