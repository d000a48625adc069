import type { NoiseMechanism } from './noise.ts';

/** The noise of one round, drawn before the sum that it is for. Adding integers is exact, so the sum is the same bits. */
export class NoiseAhead implements NoiseMechanism {
  readonly #mechanism: NoiseMechanism;
  readonly #round: number;
  readonly #noise: Float64Array;
  #spent = false;

  /**
   * Draws the noise.
   * @param mechanism one whose rounds are independent, as it is not asked in the order of rounds
   * @param memory where it waits; of the size of the sum
   */
  constructor(mechanism: NoiseMechanism, memory: Float64Array, round: number) {
    this.#mechanism = mechanism;
    this.#round = round;
    this.#noise = memory.fill(0);
    mechanism.addTo(this.#noise, round);
  }

  /** Adds what was drawn, once, and erases it; for any other round, or again, the mechanism draws. */
  addTo(sum: Float64Array, round: number): void {
    if (round !== this.#round || this.#spent || sum.length !== this.#noise.length) {
      this.#mechanism.addTo(sum, round);
      return;
    }
    for (let i = 0; i < sum.length; i++) sum[i] += this.#noise[i];
    this.#noise.fill(0);
    this.#spent = true;
  }

  standardDeviation(round: number, layer: number): number {
    return this.#mechanism.standardDeviation(round, layer);
  }
}
