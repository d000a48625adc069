import { PrivacyError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { standardNormal } from '../random/normal.ts';
import type { RandomStream } from '../random/stream.ts';
import { type ClippingSpec, layerBounds } from './clipping.ts';

/** How a bound follows a quantile of the clients' norms. */
export interface AdaptiveSettings {
  /** γ: fraction of clients whose norm is to be within the bound. */
  readonly quantile: number;
  /** η_C of the geometric update. */
  readonly learningRate: number;
  /** σ_b: standard deviation of the noise on the number of clients within the bound. */
  readonly countNoise: number;
}

/** The noise of the two things that a round releases. */
export interface BudgetSplit {
  /** z_Δ of the sum of deltas. */
  readonly deltas: number;
  /** z_b of the counts together: their noise over √H / 2, how far one client moves them. */
  readonly counts: number;
}

/** Counts are released on a grid of this step, so that low bits betray nothing. */
const COUNT_STEP = 2 ** -20;
/** A bound moves by no more than this factor from where it began: noise alone must not drive it to zero or infinity. */
const WIDEST = 1e12;

/**
 * Shares a combined noise multiplier z out: 1/z² = 1/z_Δ² + 1/z_b² (Andrew, Thakkar, McMahan & Ramaswamy 2021, Theorem 1, for one count; H counts
 * of ±1/2 move by √H / 2 together).
 * @throws PrivacyError when the counts alone would spend more than z allows
 */
export function splitBudget(noiseMultiplier: number, countNoise: number, counts: number): BudgetSplit {
  const forCounts = (2 * countNoise) / Math.sqrt(counts);
  const precision = noiseMultiplier ** -2 - forCounts ** -2;
  if (!(precision > 0)) {
    const least = (noiseMultiplier * Math.sqrt(counts)) / 2;
    throw new PrivacyError(
      `privacy.clipping.adaptive.countNoise: ${countNoise} leaves no budget for the deltas; with ${counts} bounds it must be above ${least}`,
    );
  }
  return { deltas: precision ** -0.5, counts: forCounts };
}

/**
 * Clipping bounds that follow a quantile of the clients' norms (Andrew et al. 2021, arXiv:1905.03871 Algorithm 1): one bound with `global`, one
 * per layer with `uniform` and `dim`, which say where the bounds begin.
 *
 * Each client says by ±1/2 whether its norm was within the bound. The sum over the cohort gets noise and is divided by the expected cohort, so
 * that b = 1/2 + (Σ ± 1/2 + N(0, σ_b²)) / S estimates the fraction within; then C ← C · exp(−η_C · (b − γ)).
 */
export class AdaptiveClipping {
  readonly #mode: ClippingSpec['mode'];
  readonly #settings: AdaptiveSettings;
  readonly #first: Float64Array;
  #bounds: Float64Array;

  constructor(start: ClippingSpec, layout: ParameterLayout, settings: AdaptiveSettings) {
    this.#mode = start.mode;
    this.#settings = settings;
    this.#first = start.mode === 'global' ? Float64Array.of(start.bound) : layerBounds(start, layout);
    this.#bounds = this.#first.slice();
  }

  /** The bounds now: one, or one per layer. */
  get bounds(): Float64Array {
    return this.#bounds;
  }

  get spec(): ClippingSpec {
    if (this.#mode === 'global') return { mode: 'global', bound: this.#bounds[0] };
    const bound = Math.sqrt(this.#bounds.reduce((sum, c) => sum + c * c, 0));
    return { mode: this.#mode, bound, layerBounds: [...this.#bounds] };
  }

  /**
   * Moves the bounds after a round.
   * @param contributed clients whose delta was summed
   * @param clippedCounts per layer, how many of them were clipped; with `global` all are alike
   * @param stream draws the noise of the counts
   */
  update(contributed: number, clippedCounts: ArrayLike<number>, expectedCohort: number, stream: RandomStream): void {
    const { quantile, learningRate, countNoise } = this.#settings;
    this.#bounds = this.#bounds.map((bound, j) => {
      // Halves are whole steps of the grid; the noise is rounded to it.
      const centred = contributed / 2 - clippedCounts[j];
      const noise = Math.round((countNoise / COUNT_STEP) * standardNormal(stream)) * COUNT_STEP;
      const within = 0.5 + (centred + noise) / expectedCohort;
      const moved = bound * Math.exp(-learningRate * (within - quantile));
      return Math.min(Math.max(moved, this.#first[j] / WIDEST), this.#first[j] * WIDEST);
    });
  }

  /** @throws PrivacyError when the bounds are not those of this model */
  restore(bounds: Float64Array | undefined): void {
    if (bounds?.length !== this.#first.length) {
      throw new PrivacyError('the checkpoint has no clipping bounds for this model; start a new run');
    }
    this.#bounds = bounds.slice();
  }
}
