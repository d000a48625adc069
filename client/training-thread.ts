import { Worker } from 'node:worker_threads';
import type { TrainingArtifact } from '../graph/compile.ts';
import { arrivedError } from './carried-error.ts';
import type { LeasedClients, LeaseTrainer, TrainedShard } from './lease-trainer.ts';
import type { WorkerTask } from './task.ts';
import { type TrainingAnswer, type TrainingRequest, type TrainingStart, wholeBuffer } from './training-messages.ts';

/** As the build writes it, beside this file. */
const built = new URL('./training-thread-main.js', import.meta.url);

/**
 * Trains the clients of leases in a thread of their own, so that the one that calls hears and speaks while onnxruntime runs. Parameters and sums
 * move from one to the other without a copy.
 * @param entry the thread's program
 * @throws what opening the task throws there; Error when the thread ends by itself
 */
export async function openTrainingThread(
  task: WorkerTask,
  model: TrainingArtifact,
  entry = built,
): Promise<LeaseTrainer> {
  const thread = new TrainingThread({ task, model }, entry);
  try {
    await thread.opened;
  } catch (error) {
    await thread.close();
    throw error;
  }
  return thread;
}

interface Waiting {
  resolve(shard: TrainedShard | undefined): void;
  reject(error: Error): void;
}

class TrainingThread implements LeaseTrainer {
  /** Settles when the task is open. */
  readonly opened: Promise<unknown>;
  private readonly worker: Worker;
  private readonly ended: Promise<void>;
  /** Those who wait for an answer, in the order in which answers come. */
  private readonly waiting: Waiting[] = [];
  /** Why there will be no more answers. */
  private failure: Error | undefined;

  constructor(start: TrainingStart, entry: URL) {
    this.worker = new Worker(entry, {
      name: 'training',
      workerData: start,
      transferList: [wholeBuffer(start.model.onnx)],
    });
    this.worker.on('message', ({ shard, error }: TrainingAnswer) => {
      const { resolve, reject } = this.waiting.shift()!;
      if (error) reject(arrivedError(error));
      else resolve(shard);
    });
    this.worker.once('error', (error) => this.fail(error));
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', (code) => {
        this.fail(new Error(`the thread that trains clients ended by itself, with code ${code}`));
        resolve();
      });
    });
    this.opened = this.answer();
  }

  take(parameters: Float32Array): void {
    this.ask({ kind: 'take', parameters }, [wholeBuffer(parameters)]);
  }

  async train(lease: LeasedClients, signal: AbortSignal): Promise<TrainedShard> {
    signal.throwIfAborted();
    let abort: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        this.ask({ kind: 'abort' });
        reject(signal.reason);
      };
    });
    signal.addEventListener('abort', abort);
    try {
      this.ask({ kind: 'train', lease });
      const shard = await Promise.race([this.answer(), aborted]);
      return shard!;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * Has the thread end when the run of the runtime that it is in is over. Never at once: where a thread is stopped in the middle of a run,
   * onnxruntime-node meets an exception that it cannot throw there, and aborts the process.
   */
  async close(): Promise<void> {
    this.ask({ kind: 'close' });
    await this.ended;
  }

  private ask(request: TrainingRequest, buffers: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(request, buffers);
  }

  private answer(): Promise<TrainedShard | undefined> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}
