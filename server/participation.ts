import { PrivacyError } from '../errors.ts';

/**
 * How often each user has taken part, and how often the busiest has. Who takes part follows from sampling alone and not from anybody's data, so
 * a guarantee per user may count the participations that really were.
 */
export class Participation {
  readonly #counts: Float64Array;
  /** Rounds whose members are not known any more; everybody is taken to have been in them. */
  #lost = 0;
  #most = 0;
  #recorded = 0;

  constructor(population: number) {
    this.#counts = new Float64Array(population);
  }

  /** Participations of the busiest user. */
  get most(): number {
    return this.#most + this.#lost;
  }

  /** Counts a cohort, and returns by how much the largest count has grown since the last call. */
  add(cohort: readonly number[]): number {
    for (const id of cohort) {
      this.#counts[id] += 1;
      this.#most = Math.max(this.#most, this.#counts[id]);
    }
    const growth = Math.max(0, this.most - this.#recorded);
    this.#recorded += growth;
    return growth;
  }

  /** Participations per user. */
  get counts(): Float64Array {
    return this.#counts;
  }

  /**
   * Goes on from a checkpoint.
   * @param recorded participations of the busiest user by the ledger, which may hold rounds that the checkpoint does not
   * @param lost how many such rounds there are
   * @throws PrivacyError when the counts are of another population
   */
  restore(counts: Float64Array | undefined, recorded: number, lost: number): void {
    if (counts?.length !== this.#counts.length) {
      throw new PrivacyError('the checkpoint does not say how often users took part; start a new run');
    }
    this.#counts.set(counts);
    this.#most = counts.reduce((most, count) => Math.max(most, count), 0);
    this.#recorded = recorded;
    this.#lost = lost;
  }
}
