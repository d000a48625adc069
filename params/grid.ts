import { PrivacyError } from '../errors.ts';
import { mostRounded } from './grid-sum.ts';

/**
 * The grid on which client deltas are summed: the multiples of `step`, a power of two.
 *
 * A clipped coordinate is stored as an integer, `trunc(coordinate / step)` or, on a grid of `forRoundedSum`, the nearest one, in a Float64Array.
 * - Sums are exact. Float64 represents every integer up to 2^53, and `forSum` takes the finest step for which no partial sum of a
 *   cohort can reach 2^53. Integer additions are therefore exact, hence associative and commutative: the sum does not depend on the
 *   order of clients, the number of workers, the size of shards, or how often a lost shard was computed again.
 * - The sensitivity bound holds. Truncation toward zero never increases the magnitude of a coordinate, so a delta of norm at most C
 *   still has norm at most C on the grid. Rounding to nearest can add step·sqrt(d)/2 to the norm, by which deltas are made shorter before (`Clipper`).
 * - Little is lost. Each coordinate changes by less than one step, for example C·2^-42 for a thousand clients, or C·2^-21 on a grid of `forRoundedSum`.
 */
export class ExactGrid {
  /** Distance between neighbouring grid points, in units of the model's parameters. */
  readonly step: number;
  /** 1 / step, exact because step is a power of two. */
  readonly perUnit: number;

  /**
   * @param step a power of two, for instance the `step` of the grid that another process made with `forSum`
   * @throws PrivacyError when step is not a power of two whose inverse is representable
   */
  constructor(step: number) {
    const exponent = Math.round(Math.log2(step));
    if (!(step > 0) || 2 ** exponent !== step || Math.abs(exponent) > 1000) {
      throw new PrivacyError(
        `exact grid: step ${step} is not a power of two between 2^-1000 and 2^1000; use ExactGrid.forSum`,
      );
    }
    this.step = step;
    this.perUnit = 1 / step;
  }

  /**
   * The grid for a sum to which noise of standard deviation `noiseStd` is added: exact as `forSum`, with a bit of room for the noise,
   * and so coarse that a standard deviation of the noise is at most 2^31 steps. Normal draws carry 53 random bits; on a much finer
   * grid only some of the points could ever be drawn, and which ones would tell the noise from the sum (Mironov 2012).
   * @throws PrivacyError when an argument is not positive and finite
   */
  static forNoisySum(bound: number, maxCohort: number, noiseStd: number): ExactGrid {
    if (!(noiseStd > 0) || !Number.isFinite(noiseStd)) {
      throw new PrivacyError(`exact grid: the noise must have a positive, finite standard deviation, got ${noiseStd}`);
    }
    const exact = 2 * ExactGrid.forSum(bound, maxCohort).step;
    return new ExactGrid(Math.max(exact, 2 ** (Math.floor(Math.log2(noiseStd)) - 30)));
  }

  /**
   * The grid for such a sum whose coordinates are rounded to nearest in float32 (`addRounded`): as `forNoisySum`, and so coarse that `bound` is at most
   * `mostRounded` steps.
   * @throws PrivacyError when an argument is not positive and finite
   */
  static forRoundedSum(bound: number, maxCohort: number, noiseStd: number): ExactGrid {
    const { step } = ExactGrid.forNoisySum(bound, maxCohort, noiseStd);
    let exponent = Math.ceil(Math.log2(bound / mostRounded));
    // log2 is rounded.
    while (bound / 2 ** exponent > mostRounded) exponent++;
    return new ExactGrid(Math.max(step, 2 ** exponent));
  }

  /**
   * The finest grid on which the sum of `maxCohort` clients stays exact: the smallest power of two with maxCohort·bound/step < 2^53.
   * @param bound largest magnitude of one client's coordinate; the clipping bound C
   * @param maxCohort most clients that one sum can hold
   * @throws PrivacyError when an argument is not positive and finite
   */
  static forSum(bound: number, maxCohort: number): ExactGrid {
    if (!(bound > 0) || !Number.isFinite(bound)) {
      throw new PrivacyError(`exact grid: bound must be positive and finite, got ${bound}; set privacy.clipping.bound`);
    }
    if (!Number.isSafeInteger(maxCohort) || maxCohort < 1) {
      throw new PrivacyError(`exact grid: the largest cohort must be a positive integer, got ${maxCohort}`);
    }
    const largest = bound * maxCohort;
    let exponent = Math.ceil(Math.log2(largest)) - 53;
    // log2 is rounded: settle the exponent with exact comparisons.
    while (largest / 2 ** exponent >= 2 ** 53) exponent++;
    while (largest / 2 ** (exponent - 1) < 2 ** 53) exponent--;
    return new ExactGrid(2 ** exponent);
  }

  /** Writes `sum[i]·step / divisor` (grid integers back to parameters, averaged) to `out`. Lengths must agree. */
  average(sum: Float64Array, divisor: number, out: Float32Array): void {
    if (sum.length !== out.length) {
      throw new PrivacyError(`exact grid: a sum of ${sum.length} coordinates cannot fill ${out.length} parameters`);
    }
    const scale = this.step / divisor;
    for (let i = 0; i < sum.length; i++) out[i] = sum[i] * scale;
  }
}
