import type { TrainingArtifact } from '../graph/compile.ts';
import { bytesOfSum } from '../proto/sums.ts';
import { release } from './released-memory.ts';
import type { RoundSettings } from './round-settings.ts';
import { contextOfRound, type ShardContext, type ShardResult, trainShard } from './shard.ts';
import type { WorkerTask } from './task.ts';

/** Makes a task ready for training: opens its data, and the training step in onnxruntime. */
export type OpenTask = (task: WorkerTask, model: TrainingArtifact) => Promise<ShardContext>;

/** The clients of one lease. */
export interface LeasedClients {
  /** Central step. */
  readonly round: number;
  readonly clientIds: readonly number[];
  /** What the round changes in the task. */
  readonly settings: RoundSettings | undefined;
}

/** What a shard adds to the round, its sum as it travels (`bytesOfSum`), in a buffer of its own. */
export type TrainedShard = Omit<ShardResult, 'sum'> & { readonly payload: Uint8Array };

/** A task that is ready for leases: one at a time. */
export interface LeaseTrainer {
  /**
   * Has leases from here on start from these parameters.
   * @param parameters a whole buffer, and the trainer's from now on: whoever gave it must not read it any more
   */
  take(parameters: Float32Array): void;
  /**
   * Has the clients of a lease trained.
   * @param signal aborted when nobody waits for the result any more; the work then ends before the next client
   * @throws what `trainShard` throws; the signal's reason when it is aborted
   */
  train(lease: LeasedClients, signal: AbortSignal): Promise<TrainedShard>;
  /** Gives up what it holds; a lease under way should be aborted before. Settles when nothing of it runs any more. */
  close(): Promise<void>;
}

/** Makes a task ready for leases. The bytes of the model are a whole buffer, and the trainer's from now on. */
export type OpenLeases = (task: WorkerTask, model: TrainingArtifact) => Promise<LeaseTrainer>;

/**
 * Trains the clients of leases in the thread that calls, which hears and says nothing while onnxruntime runs.
 * @throws what `openTask` throws
 */
export function trainingHere(openTask: OpenTask): OpenLeases {
  return async (task, model) => {
    const context = await openTask(task, model);
    let parameters: Float32Array = new Float32Array(0);
    return {
      take: (given) => {
        release([parameters.buffer as ArrayBuffer]);
        parameters = given;
      },
      train: async ({ round, clientIds, settings }, signal) => {
        const result = await trainShard(contextOfRound(context, settings), round, parameters, clientIds, signal);
        return trainedShard(result, context.sum !== undefined);
      },
      close: async () => undefined,
    };
  };
}

/** @param reused whether the memory of the sum is for later sums, too */
export function trainedShard({ sum, ...figures }: ShardResult, reused: boolean): TrainedShard {
  const payload = bytesOfSum(sum);
  return { ...figures, payload: reused && payload.buffer === sum.buffer ? payload.slice() : payload };
}
