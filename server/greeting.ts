import { ModelError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type PayloadChunk, splitPayload } from '../proto/chunks.ts';
import type { Welcome } from '../proto/generated/dpfl/v1/Welcome.ts';
import { MAX_MESSAGE_BYTES } from '../proto/load.ts';
import type { AggregationOptions } from './service-options.ts';
import type { SumStorage } from './sum-receiver.ts';
import { WireTally } from './wire-tally.ts';

/** What every worker is sent first, and the size of what it sends back. */
export interface Greeting {
  readonly welcome: Welcome;
  readonly model: readonly PayloadChunk[];
  /** Bytes of a shard's sum: 8 per parameter. */
  readonly sumBytes: number;
  readonly sums?: SumStorage | undefined;
  readonly tally: WireTally;
}

/** What the greeting is made from. */
export type GreetingOptions = Pick<AggregationOptions, 'runId' | 'task' | 'model' | 'silenceSeconds' | 'sums'>;

/**
 * The greeting of a run.
 * @throws ModelError when the model's layers do not fit one message
 */
export function greetingOf(
  { runId, task, model, silenceSeconds = 60, sums }: GreetingOptions,
  layout: ParameterLayout,
): Greeting {
  const taskJson = JSON.stringify(task);
  if (Buffer.byteLength(taskJson) + runId.length > MAX_MESSAGE_BYTES - 1024) {
    throw new ModelError(
      `the description of ${layout.layers.length} layers does not fit one message; give the layers shorter names or merge some`,
    );
  }
  return {
    welcome: { runId, taskJson, layoutFingerprint: layout.fingerprint(), heartbeatSeconds: silenceSeconds / 4 },
    model: splitPayload(model.onnx),
    sumBytes: layout.size * Float64Array.BYTES_PER_ELEMENT,
    sums,
    tally: new WireTally(),
  };
}
