import { ModelError } from '../errors.ts';
import type { TrainedRound } from './rounds.ts';

/** Rounds in a row, and clients in them, without one usable delta: after that nothing but noise would be learnt. */
const ROUNDS = 3;
const CLIENTS = 10;

/** Ends a run in which no client's delta is finite any more: it would spend privacy on noise alone. */
export class RejectionWatch {
  #rounds = 0;
  #clients = 0;

  /** @throws ModelError when every delta of several rounds in a row was rejected */
  check(round: number, { cohort, totals }: Pick<TrainedRound, 'cohort'> & { totals: { contributed: number } }): void {
    if (totals.contributed > 0) {
      this.#rounds = 0;
      this.#clients = 0;
      return;
    }
    if (cohort === 0) return;
    this.#rounds += 1;
    this.#clients += cohort;
    if (this.#rounds < ROUNDS || this.#clients < CLIENTS) return;
    throw new ModelError(
      `round ${round}: not one of the last ${this.#clients} client deltas, of ${this.#rounds} rounds, was finite; lower local.learningRate, or set local.maxGradientNorm`,
    );
  }
}
