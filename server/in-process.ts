import type { RoundSettings } from '../client/round-settings.ts';
import { contextOfRound, type ShardContext, type ShardResult, trainShard } from '../client/shard.ts';
import type { RoundServer } from './rounds.ts';

/**
 * Trains shards one after another in the server's own process, without gRPC or workers: for debugging (one process to step through) and
 * small runs. The same shard loop as a worker's, so the same bits.
 */
export class InProcessServer implements RoundServer {
  readonly #context: ShardContext;

  /** @param context the run's task, opened */
  constructor(context: ShardContext) {
    this.#context = context;
  }

  async runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: ShardResult) => void,
    settings?: RoundSettings,
  ): Promise<void> {
    const context = contextOfRound(this.#context, settings);
    for (const [index, clients] of shards.entries()) {
      onResult(index, await trainShard(context, round, parameters, clients));
    }
  }

  /** This process is the one worker there is. */
  workerCount(): number {
    return 1;
  }

  /** Nothing is open here. */
  async close(): Promise<void> {}
}
