import type { ShardResult } from '../client/shard.ts';
import { ProtocolError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { RejectedMessage } from './faults.ts';
import { FigureTotals } from './figure-totals.ts';
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

/**
 * Adds up the shards of a round. Grid integers are added at once, exact in any order; the other figures in the order of
 * the shards. So the totals are bit-identical whatever the order of arrival.
 */
export class RoundAggregator {
  readonly #layout: ParameterLayout;
  #limits: SumLimits = {};
  readonly #sum: Float64Array;
  #shards: readonly (readonly number[])[] = [];
  #figures = new FigureTotals(0);

  constructor(layout: ParameterLayout) {
    this.#layout = layout;
    this.#sum = new Float64Array(layout.size);
  }

  /** Starts a round: forgets the last one. */
  begin(shards: readonly (readonly number[])[], limits: SumLimits = {}): void {
    this.#limits = limits;
    this.#sum.fill(0);
    this.#shards = shards;
    this.#figures = new FigureTotals(this.#layout.layers.length);
  }

  /**
   * Takes one shard's result.
   * @throws ProtocolError when the shard is unknown, came before, or its figures do not fit the model or the shard
   */
  add(shardIndex: number, result: DeliveredShard): void {
    this.#check(shardIndex, result);
    const { sum, ...figures } = result;
    const total = this.#sum;
    let at = 0;
    for (const block of blocksOf(sum)) {
      for (let i = 0; i < block.length; i++) total[at + i] += block[i];
      at += block.length;
    }
    this.#figures.add(shardIndex, figures);
  }

  /**
   * The totals of the round.
   * @throws ProtocolError when a shard is missing
   */
  finish(): RoundTotals {
    const { missing, totals } = this.#figures;
    if (missing < this.#shards.length) {
      throw new ProtocolError(`shard ${missing} of ${this.#shards.length} never arrived; the round cannot be closed`);
    }
    return { sum: this.#sum, ...totals };
  }

  #check(shardIndex: number, result: DeliveredShard): void {
    if (!(shardIndex in this.#shards)) throw new ProtocolError(`shard ${shardIndex} is not part of this round`);
    if (this.#figures.has(shardIndex)) {
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
