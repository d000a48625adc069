import type { TrainingArtifact } from '../graph/compile.ts';
import type { CarriedError } from './carried-error.ts';
import type { LeasedClients, TrainedShard } from './lease-trainer.ts';
import type { WorkerTask } from './task.ts';

/** What a training thread begins with. */
export interface TrainingStart {
  readonly task: WorkerTask;
  readonly model: TrainingArtifact;
}

/** What a training thread is asked: the calls of `LeaseTrainer`, and the abort of the lease under way. */
export type TrainingRequest =
  | { readonly kind: 'take'; readonly parameters: Float32Array }
  | { readonly kind: 'train'; readonly lease: LeasedClients }
  | { readonly kind: 'abort' }
  | { readonly kind: 'close' };

/** One when the task is open, then one for each lease, in their order: the shard, or why there is none. */
export interface TrainingAnswer {
  readonly shard?: TrainedShard;
  readonly error?: CarriedError;
}

/** What a message moves along, in place of a copy. */
export function wholeBuffer({ buffer }: ArrayBufferView): ArrayBuffer {
  return buffer as ArrayBuffer;
}
