import type { ShardResult } from '../client/shard.ts';
import { ProtocolError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { RejectedMessage } from './faults.ts';
import type { DeliveredShard } from './shard-result.ts';
import { blocksOf } from './spooled-sum.ts';

/**
 * Everything a round's clients sent, summed: what one shard of the whole cohort would have given. `sum` is the aggregator's own buffer,
 * valid until `begin`.
 */
export type RoundTotals = ShardResult;

/** What one client can add to the sum, in grid steps. */
export interface SumLimits {
  /** Largest norm of a clipped delta; undefined when deltas are not clipped. */
  readonly clientNorm?: number | undefined;
  /** Standard deviation of the noise that each client adds to each coordinate. */
  readonly clientNoise?: number | undefined;
}

type ShardStatistics = Omit<ShardResult, 'sum'>;

/**
 * Adds up the shards of a round. Grid integers are added at once, exact in any order; the scalar statistics wait
 * and are folded in shard order, so that sums too large for their grid cannot depend on the order either. So the totals are bit-identical whatever the order of arrival.
 */
export class RoundAggregator {
  readonly #layout: ParameterLayout;
  #limits: SumLimits = {};
  readonly #sum: Float64Array;
  #shards: readonly (readonly number[])[] = [];
  #statistics: (ShardStatistics | undefined)[] = [];

  constructor(layout: ParameterLayout) {
    this.#layout = layout;
    this.#sum = new Float64Array(layout.size);
  }

  /** Starts a round: forgets the last one. */
  begin(shards: readonly (readonly number[])[], limits: SumLimits = {}): void {
    this.#limits = limits;
    this.#sum.fill(0);
    this.#shards = shards;
    this.#statistics = shards.map(() => undefined);
  }

  /**
   * Takes one shard's result.
   * @throws ProtocolError when the shard is unknown, came before, or its figures do not fit the model or the shard
   */
  add(shardIndex: number, result: DeliveredShard): void {
    this.#check(shardIndex, result);
    const { sum, ...statistics } = result;
    const total = this.#sum;
    let at = 0;
    for (const block of blocksOf(sum)) {
      for (let i = 0; i < block.length; i++) total[at + i] += block[i];
      at += block.length;
    }
    this.#statistics[shardIndex] = {
      ...statistics,
      // The sender may reuse its buffers for the next shard.
      deltaNormSums: statistics.deltaNormSums.slice(),
      clippedCounts: statistics.clippedCounts.slice(),
    };
  }

  /**
   * The totals of the round.
   * @throws ProtocolError when a shard is missing
   */
  finish(): RoundTotals {
    const layers = this.#layout.layers.length;
    const totals = { contributed: 0, rejectedNonFinite: 0, lossSum: 0, examples: 0, infeasibleTargets: 0 };
    const seconds = { total: 0, data: 0, training: 0, clipping: 0 };
    const deltaNormSums = new Float64Array(layers);
    const clippedCounts = new Float64Array(layers);
    for (const [index, shard] of this.#statistics.entries()) {
      if (shard === undefined) {
        throw new ProtocolError(
          `shard ${index} of ${this.#statistics.length} never arrived; the round cannot be closed`,
        );
      }
      totals.contributed += shard.contributed;
      totals.rejectedNonFinite += shard.rejectedNonFinite;
      totals.lossSum += shard.lossSum;
      totals.examples += shard.examples;
      totals.infeasibleTargets += shard.infeasibleTargets;
      seconds.total += shard.seconds.total;
      seconds.data += shard.seconds.data;
      seconds.training += shard.seconds.training;
      seconds.clipping += shard.seconds.clipping;
      for (let layer = 0; layer < layers; layer++) {
        deltaNormSums[layer] += shard.deltaNormSums[layer];
        clippedCounts[layer] += shard.clippedCounts[layer];
      }
    }
    return { sum: this.#sum, ...totals, deltaNormSums, clippedCounts, seconds };
  }

  #check(shardIndex: number, result: DeliveredShard): void {
    if (!(shardIndex in this.#statistics)) throw new ProtocolError(`shard ${shardIndex} is not part of this round`);
    if (this.#statistics[shardIndex] !== undefined) {
      throw new ProtocolError(`shard ${shardIndex} was delivered twice; its clients would count double`);
    }
    const layers = this.#layout.layers.length;
    if (
      result.sum.length !== this.#layout.size ||
      result.deltaNormSums.length !== layers ||
      result.clippedCounts.length !== layers
    ) {
      throw new RejectedMessage(
        'wrongSize',
        `shard ${shardIndex}: a sum of ${result.sum.length} values came for a model of ${this.#layout.size} parameters; worker and server run different models`,
      );
    }
    const clients = this.#shards[shardIndex].length;
    if (result.contributed + result.rejectedNonFinite !== clients) {
      throw new ProtocolError(
        `shard ${shardIndex}: ${result.contributed} clients contributed and ${result.rejectedNonFinite} were rejected, but the shard has ${clients}`,
      );
    }
    this.#checkNorm(shardIndex, result);
  }

  /**
   * n clipped deltas cannot add up to a norm beyond n·C; a sum that does was not clipped as the guarantee assumes. Noise of the clients' own
   * adds a norm of σ·√n·(√d + 40) at most, but for a chance of e^-800.
   */
  #checkNorm(shardIndex: number, { sum, contributed }: DeliveredShard): void {
    const { clientNorm, clientNoise = 0 } = this.#limits;
    if (clientNorm === undefined) return;
    const noise = clientNoise * Math.sqrt(contributed) * (Math.sqrt(sum.length) + 40);
    let squares = 0;
    for (const block of blocksOf(sum)) {
      for (let i = 0; i < block.length; i++) squares += block[i] * block[i];
    }
    if (!(Math.sqrt(squares) <= contributed * clientNorm * (1 + 1e-9) + noise)) {
      throw new RejectedMessage(
        'tooLarge',
        `shard ${shardIndex}: its sum is larger than ${contributed} clipped deltas can be; a worker does not clip as configured, update it`,
      );
    }
  }
}

/**
 * The pseudo-gradient: the (noisy) sum of client deltas over the EXPECTED cohort S, never over the realised one, which
 * depends on who takes part and would break the sensitivity bound (arXiv:2310.00098 Algorithm 1).
 *
 * @param sum in units of the grid
 * @param into receives the float32 result
 */
export function pseudoGradient(sum: Float64Array, grid: ExactGrid, expectedCohort: number, into: Float32Array): void {
  grid.average(sum, expectedCohort, into);
}
