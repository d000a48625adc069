import type { ShardResult, ShardSeconds } from '../client/shard.ts';

/** What a shard says of itself beside its sum. */
export type ShardFigures = Omit<ShardResult, 'sum'>;

/**
 * Adds up the figures of a round's shards in the order of the shards, so that sums too large for the grid of single figures cannot depend on the order
 * of arrival. Shards are leased in that order: only the figures of those that overtook another are kept.
 */
export class FigureTotals {
  readonly #early = new Map<number, ShardFigures>();
  readonly #counts = { contributed: 0, rejectedNonFinite: 0, lossSum: 0, examples: 0, infeasibleTargets: 0 };
  readonly #seconds = { total: 0, data: 0, training: 0, clipping: 0 };
  readonly #deltaNormSums: Float64Array;
  readonly #clippedCounts: Float64Array;
  #next = 0;

  /** @param layers layers of the parameter vector */
  constructor(layers: number) {
    this.#deltaNormSums = new Float64Array(layers);
    this.#clippedCounts = new Float64Array(layers);
  }

  /** Whether the figures of this shard have come. */
  has(shard: number): boolean {
    return shard < this.#next || this.#early.has(shard);
  }

  /** The first shard whose figures have not come. */
  get missing(): number {
    return this.#next;
  }

  /** Takes the figures of a shard, each once; arrays are copied where they have to wait. */
  add(shard: number, figures: ShardFigures): void {
    if (shard !== this.#next) {
      const { deltaNormSums, clippedCounts } = figures;
      // The sender may reuse its buffers for the next shard.
      const copies = { deltaNormSums: deltaNormSums.slice(), clippedCounts: clippedCounts.slice() };
      this.#early.set(shard, { ...figures, ...copies });
      return;
    }
    this.#fold(figures);
    for (let waiting = this.#early.get(this.#next); waiting !== undefined; waiting = this.#early.get(this.#next)) {
      this.#early.delete(this.#next);
      this.#fold(waiting);
    }
  }

  /** The totals of all shards before `missing`. */
  get totals(): ShardFigures {
    const seconds: ShardSeconds = { ...this.#seconds };
    return { ...this.#counts, seconds, deltaNormSums: this.#deltaNormSums, clippedCounts: this.#clippedCounts };
  }

  #fold(figures: ShardFigures): void {
    this.#next += 1;
    addTo(this.#counts, figures);
    addTo(this.#seconds, figures.seconds);
    for (let layer = 0; layer < this.#deltaNormSums.length; layer++) {
      this.#deltaNormSums[layer] += figures.deltaNormSums[layer];
      this.#clippedCounts[layer] += figures.clippedCounts[layer];
    }
  }
}

function addTo<Key extends string>(totals: Record<Key, number>, figures: Readonly<Record<NoInfer<Key>, number>>): void {
  for (const key of Object.keys(totals) as Key[]) totals[key] += figures[key];
}
