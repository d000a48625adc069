import { bytesOfParameters } from '../client/parameter-transport.ts';
import type { RoundSettings } from '../client/round-settings.ts';
import { ConfigError, ModelError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type PayloadChunk, splitPayload } from '../proto/chunks.ts';
import { MAX_CLIENTS_PER_LEASE } from '../proto/client-ids.ts';
import type { FaultCounts } from './faults.ts';
import type { AggregationOptions } from './service-options.ts';
import type { DeliveredShard } from './shard-result.ts';
import type { WireTally } from './wire-tally.ts';
import type { WorkerSession } from './worker-session.ts';

/** One round's work as the service hands it over. */
export interface RoundWork {
  readonly runId: string;
  /** Central step. */
  readonly round: number;
  /** θ(t−1), cut into chunks; views of a buffer that does not change during the round. */
  readonly parameters: readonly PayloadChunk[];
  /** Client ids of each shard. */
  readonly shards: readonly (readonly number[])[];
  /** What the round changes in the task, as JSON; empty for nothing. */
  readonly settingsJson: string;
  /** Layers of the parameter vector. */
  readonly layers: number;
  readonly leaseTimeoutSeconds: number;
  /** How often one shard's training may come to nothing before the round is given up. */
  readonly maxAttempts: number;
  /** Whether clients must not be asked twice, whatever became of the first attempt: each answer is a release of its own. */
  readonly once: boolean;
  /** Whether clients tell nothing but their noisy message, no loss and no norm. */
  readonly silent: boolean;
  readonly onResult: (shardIndex: number, result: DeliveredShard) => void;
  /** Called once, when the first lease has been sent. */
  readonly onUnderWay?: (() => void) | undefined;
  readonly faults: FaultCounts;
  readonly tally: WireTally;
  /** The round ended before this worker's lease was sent: it still waits for one. */
  readonly onUnserved: (session: WorkerSession) => void;
}

/** One round as it is asked for, see `AggregationServer.runRound`. */
export interface AskedRound extends Pick<RoundWork, 'round' | 'shards' | 'onResult' | 'onUnderWay'> {
  /** θ(t−1) */
  readonly parameters: Float32Array;
  readonly settings?: RoundSettings | undefined;
}

/** What all rounds of a server have in common. */
export type WorkOptions = Pick<AggregationOptions, 'runId' | 'task' | 'leaseTimeoutSeconds' | 'maxAttempts'>;

/**
 * The work of a round.
 * @throws ModelError when there are not as many parameters as the layout has; ConfigError when a shard has too many clients
 */
export function roundWork(
  { round, parameters, shards, settings, onResult, onUnderWay }: AskedRound,
  { runId, task, leaseTimeoutSeconds = 600, maxAttempts = 10 }: WorkOptions,
  layout: ParameterLayout,
  service: Pick<RoundWork, 'faults' | 'tally' | 'onUnserved'>,
): RoundWork {
  if (parameters.length !== layout.size) {
    throw new ModelError(`${parameters.length} parameters were given for a layout of ${layout.size}`);
  }
  const largest = shards.reduce((size, shard) => Math.max(size, shard.length), 0);
  if (largest > MAX_CLIENTS_PER_LEASE) {
    throw new ConfigError(
      `federation.shardSize: a shard of ${largest} clients does not fit one lease; set it to ${MAX_CLIENTS_PER_LEASE} or less`,
    );
  }
  return {
    runId,
    round,
    parameters: splitPayload(bytesOfParameters(parameters, task.transport ?? 'float32')),
    shards,
    settingsJson: settings === undefined ? '' : JSON.stringify(settings),
    layers: layout.layers.length,
    leaseTimeoutSeconds,
    maxAttempts,
    // With a seed a shard trained again sends the same noise; else a second noisy message tells more than one.
    once: settings?.noise?.local === true && settings.noise.source === 'cryptographic',
    silent: settings?.noise?.local === true,
    onResult,
    onUnderWay,
    ...service,
  };
}
