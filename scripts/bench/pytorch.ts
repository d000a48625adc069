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

/** Kernels of OpenBLAS to try beside the one that it takes for this processor. */
const kernels = ['SkylakeX', 'Haswell', 'Zen'];
/** How often each is tried. */
const rounds = 5;

/**
 * The kernels that make OpenBLAS, and with it PyTorch, fastest here. An OpenBLAS that is older than the processor takes it for one of twenty
 * years ago, and is several times as slow as it could be: no fair comparison.
 */
function fastestKernels(python: string): Readonly<Record<string, string>> {
  if (process.env.OPENBLAS_CORETYPE) return {};
  const seconds = (kernel: Readonly<Record<string, string>>): number => {
    const env = { ...process.env, ...oneThread, ...kernel };
    const { status, stdout } = spawnSync(python, ['scripts/bench/openblas_kernel.py'], { env, encoding: 'utf8' });
    return (status === 0 && Number.parseFloat(stdout)) || Number.POSITIVE_INFINITY;
  };
  const candidates = [{}, ...kernels.map((name) => ({ OPENBLAS_CORETYPE: name }))];
  const least = candidates.map(() => Number.POSITIVE_INFINITY);
  // In turn, so that a moment in which the machine is slow does not decide.
  for (let round = 0; round < rounds; round++) {
    for (const [i, kernel] of candidates.entries()) least[i] = Math.min(least[i]!, seconds(kernel));
  }
  // What OpenBLAS takes by itself stays, unless another is clearly faster.
  least[0]! *= 0.9;
  return candidates[least.indexOf(Math.min(...least))]!;
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
    const kernel = fastestKernels(python);
    const child = spawn(python, [script], { env: { ...process.env, ...oneThread, ...kernel } });
    child.stderr.pipe(process.stderr);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    const { torch } = JSON.parse(value) as { torch: string };
    const taken = kernel.OPENBLAS_CORETYPE ?? process.env.OPENBLAS_CORETYPE;
    return new PyTorch(child, lines, taken ? `${torch} with OpenBLAS kernels for ${taken}` : torch);
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
