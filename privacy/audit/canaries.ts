import { PrivacyError } from '../../errors.ts';
import type { ExactGrid } from '../../params/grid.ts';
import type { ParameterLayout } from '../../params/layout.ts';
import { namedStream, type RandomStream } from '../../random/stream.ts';
import { Clipper, type ClippingSpec, layerBounds, weightedLayerBounds } from '../clipping.ts';

/** Canaries send deltas this many times longer than the clipping bound: clipping is under audit too. */
const OVERSHOOT = 16;

/** What canaries need to know of the mechanism that is audited. */
export interface AuditedMechanism {
  readonly clipping: ClippingSpec;
  readonly grid: ExactGrid;
  /** q: included canaries take part in a round with this probability, as users do. */
  readonly samplingRate: number;
  /** Standard deviation of the noise on the coordinates of a layer; 0 without noise. */
  readonly deviation: (layer: number) => number;
}

/**
 * Synthetic users whose delta is known: one random direction each, at the clipping bound (of every layer, with bounds per layer). A fair coin
 * decides whether a canary is in the population at all (arXiv:2305.08846); one that is takes part in rounds by Poisson sampling. Its delta
 * is clipped, put on the grid, added to the sum and covered with noise like everybody's.
 *
 * The score of a canary is the sum over rounds of the released sum's product with its direction: layers weighted by the inverse variance of
 * their noise, and scaled such that taking part in one round adds 1. Its noise has standard deviation z per round with equal
 * noise on all layers.
 *
 * Directions are random signs, ±C_h/√d_h in layer h: as unit vectors their products are distributed as N(0, 1/d) to within the error of
 * the central limit theorem. Everything is drawn from streams of the canaries' own, so a run with canaries has the users, cohorts and noise of the run
 * without.
 */
export class Canaries {
  /** The coins. */
  readonly included: readonly boolean[];
  readonly scores: Float64Array;
  readonly #seed: number | string;
  readonly #layout: ParameterLayout;
  readonly #mechanism: AuditedMechanism;
  readonly #clipper: Clipper;
  /** C_h/√d_h */
  readonly #magnitudes: Float64Array;
  /** What a sign of the sum, in grid steps, adds to the score. */
  readonly #weights: Float64Array;
  readonly #delta: Float32Array;

  constructor(count: number, seed: number | string, layout: ParameterLayout, mechanism: AuditedMechanism) {
    const { clipping, grid, deviation } = mechanism;
    const { layers } = layout;
    const bounds =
      clipping.mode === 'global'
        ? weightedLayerBounds(clipping.bound, layout, Array(layers.length).fill(1))
        : layerBounds(clipping, layout);
    const precisions = layers.map((_, h) => deviation(h) ** -2);
    const relative = precisions.map((each) => (Number.isFinite(each) ? each / Math.max(...precisions) : 1));
    const norm = bounds.reduce((sum, bound, h) => sum + relative[h] * bound * bound, 0);
    this.#magnitudes = bounds.map((bound, h) => bound / Math.sqrt(layers[h].size));
    this.#weights = this.#magnitudes.map((magnitude, h) => (relative[h] * magnitude * grid.step) / norm);
    const coins = namedStream(seed, 'canary-coins');
    this.included = Array.from({ length: count }, () => coins.int32() < 0);
    this.scores = new Float64Array(count);
    this.#seed = seed;
    this.#layout = layout;
    this.#mechanism = mechanism;
    this.#clipper = new Clipper(layout, clipping, grid);
    this.#delta = layout.allocate();
  }

  /**
   * Adds the deltas of the canaries that take part in a round to its sum, before the noise.
   * @param sum grid integers
   * @returns how many took part
   */
  addTo(sum: Float64Array, round: number): number {
    const { samplingRate } = this.#mechanism;
    const cohort = namedStream(this.#seed, 'canary-cohort', round);
    let members = 0;
    for (const [canary, included] of this.included.entries()) {
      // Drawn for those left out as well, so that no coin changes another's part.
      const sampled = cohort.uniform() < samplingRate;
      if (!included || !sampled) continue;
      members += 1;
      this.#writeDelta(canary);
      this.#clipper.addTo(sum, this.#delta);
    }
    return members;
  }

  /** Adds to the scores what the released sum of a round (grid integers, with noise) shows of each canary. */
  observe(released: Float64Array): void {
    for (let canary = 0; canary < this.scores.length; canary++) {
      const signs = this.#signs(canary);
      let score = 0;
      for (const [h, { offset, size }] of this.#layout.layers.entries()) {
        score += this.#weights[h] * signedSum(released, offset, offset + size, signs);
      }
      this.scores[canary] += score;
    }
  }

  /** For the checkpoint. */
  state(): Readonly<Record<string, Float64Array>> {
    return { canaryScores: this.scores };
  }

  /** @throws PrivacyError when the checkpoint holds other canaries */
  restore(state: Readonly<Record<string, Float64Array>>): void {
    if (state.canaryScores?.length !== this.scores.length) {
      throw new PrivacyError('the checkpoint lacks the scores of the canaries of privacy.audit; start a new run');
    }
    this.scores.set(state.canaryScores);
  }

  #signs(canary: number): RandomStream {
    return namedStream(this.#seed, 'canary-direction', canary);
  }

  #writeDelta(canary: number): void {
    const signs = this.#signs(canary);
    const delta = this.#delta;
    for (const [h, { offset, size }] of this.#layout.layers.entries()) {
      const magnitude = OVERSHOOT * this.#magnitudes[h];
      for (let i = 0, word = 0; i < size; i++, word >>>= 1) {
        if (i % 32 === 0) word = signs.int32();
        delta[offset + i] = (word & 1) === 0 ? magnitude : -magnitude;
      }
    }
  }
}

/** Σ ±values[start … end), 32 signs from each word; one bit: +1 for 0. */
function signedSum(values: Float64Array, start: number, end: number, signs: RandomStream): number {
  let sum = 0;
  for (let at = start; at < end; at += 32) {
    let word = signs.int32();
    const last = Math.min(end, at + 32);
    for (let i = at; i < last; i++, word >>>= 1) sum += (1 - 2 * (word & 1)) * values[i];
  }
  return sum;
}
