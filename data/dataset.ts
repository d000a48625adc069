import type { Task } from '../models/task.ts';
import type { FieldBuffers } from './field-buffers.ts';

export type { Task };

/**
 * What every federated data set gives. A user's data is one `ExampleBatch`: all examples packed into one tensor per field,
 * the first dimension counting examples, so that a client's whole local training can be one ONNX run.
 *
 * Field names are fixed by the task:
 * - classification: `image` float32 [n, channels, height, width], `label` int32 [n]
 * - transcription:  `features` float32 [n, frames, filters] zero-padded at the end, `lengths` int32 [n] in frames,
 *   `targets` int32 [n, symbols] padded with 0, `target_lengths` int32 [n]
 */
export type TensorData =
  | { readonly type: 'float32'; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'int32'; readonly dims: readonly number[]; readonly data: Int32Array };

/** Examples packed field by field; every `dims[0]` equals `count`. */
export interface ExampleBatch {
  readonly count: number;
  readonly fields: Readonly<Record<string, TensorData>>;
}

/** How much data a user has, as far as that is known without loading it. */
export interface ExpectedWork {
  readonly examples: number;
  /** Cost of one pass over the examples, in any unit that is the same for all users: images, bytes of audio. */
  readonly pass: number;
}

/** A population of users with private examples, and held-out examples that belong to none of them. */
export interface FederatedDataset {
  readonly task: Task;
  /** Number of users K; ids are 0 … K−1. */
  readonly population: number;
  /**
   * The private examples of user `id`; always the same for the same id. Never empty.
   * @param buffers memory that the data set may write them to; they then hold until it is used for the next user
   */
  client(id: number, buffers?: FieldBuffers): ExampleBatch;
  /** What user `id`'s data costs to train on, without loading it. A data set whose users are all alike may leave it out. */
  expectedWork?(id: number): ExpectedWork;
  /** Held-out examples (users or takes outside the population), for evaluation. */
  evaluation(): ExampleBatch;
  /** Public examples for the central seed model, when the data set has some. */
  seed?(): ExampleBatch;
  /** A sentence on what a user is, where it is not a person, for the report. */
  readonly userMeaning?: string;
  /** One plain sentence on what the data is, for the report. */
  readonly description: string;
}
