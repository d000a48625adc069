import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { standardNormal } from '../random/normal.ts';
import type { NoiseMechanism, NoiseSource, NoiseState, NoiseStreams } from './noise.ts';
import { requireOrder } from './tree-noise.ts';

/**
 * First column of the banded strategy matrix S, lower triangular and Toeplitz: the square root of the matrix of prefix sums, whose coefficients are those of
 * (1 − x)^(−1/2), cut after `bands` and scaled to norm 1 (Kalinin & Lampert 2024, "Banded square root matrix factorization", arXiv:2405.13763). With norm 1
 * a single participation moves S·X by at most C.
 */
export function bandedSquareRoot(bands: number): number[] {
  const coefficients = [1];
  for (let j = 1; j < bands; j++) coefficients.push((coefficients[j - 1] * (2 * j - 1)) / (2 * j));
  const norm = Math.sqrt(coefficients.reduce((sum, c) => sum + c * c, 0));
  // Not above 1 even after rounding.
  return coefficients.map((c) => (c / norm) * (1 - bands * 2 ** -52));
}

/** The first `rounds` coefficients of the inverse of a lower triangular Toeplitz matrix. */
export function inverseCoefficients(coefficients: readonly number[], rounds: number): number[] {
  const inverse: number[] = [];
  for (let t = 0; t < rounds; t++) {
    let value = t === 0 ? 1 : 0;
    for (let j = 1; j < Math.min(coefficients.length, t + 1); j++) value -= coefficients[j] * inverse[t - j];
    inverse.push(value / coefficients[0]);
  }
  return inverse;
}

/**
 * DP-FTRL by banded matrix factorisation (Choquette-Choo, Ganesh, McKenna, McMahan, Rush, Thakurta & Xu 2023, arXiv:2306.08153): releases
 * X + S⁻¹Z for the rounds' sums X, that is S⁻¹(SX + Z), post-processing of the Gaussian mechanism on SX. Noise Y = S⁻¹Z follows from the
 * last bands − 1 rounds of it:
 *
 *     Y_t = (Z_t − Σ_{0 < j < bands} c_j · Y_{t−j}) / c_0
 *
 * Y stays in float64 and is rounded to the grid as it is added: sum + round(Y) = round(sum + Y), since the sum consists of integers.
 */
export class BandedNoise implements NoiseMechanism {
  readonly #layout: ParameterLayout;
  readonly #coefficients: readonly number[];
  readonly #standardDeviation: number;
  readonly #steps: number;
  readonly #streams: NoiseStreams;
  readonly #source: NoiseSource;
  /** Y_{t−1}, Y_{t−2}, … in grid steps. */
  #past: Float64Array[] = [];
  #inverse: number[] = [];
  #next = 1;

  /**
   * @param coefficients c_0 … c_{bands−1}
   * @param standardDeviation of Z, in units of the parameters
   * @param source with `seeded`, a resumed run draws all earlier noise again; with `cryptographic` it needs the saved state
   */
  constructor(
    layout: ParameterLayout,
    grid: ExactGrid,
    coefficients: readonly number[],
    standardDeviation: number,
    streams: NoiseStreams,
    source: NoiseSource,
  ) {
    this.#layout = layout;
    this.#coefficients = coefficients;
    this.#standardDeviation = standardDeviation;
    this.#steps = standardDeviation * grid.perUnit;
    this.#streams = streams;
    this.#source = source;
  }

  addTo(sum: Float64Array, round: number): void {
    const noise = this.#draw(round);
    for (let i = 0; i < sum.length; i++) sum[i] += Math.round(noise[i]);
  }

  standardDeviation(round: number): number {
    if (this.#inverse.length < round) this.#inverse = inverseCoefficients(this.#coefficients, 2 * round);
    const squared = this.#inverse.slice(0, round).reduce((sum, d) => sum + d * d, 0);
    return this.#standardDeviation * Math.sqrt(squared);
  }

  state(): NoiseState {
    if (this.#source === 'seeded') return {};
    return Object.fromEntries(this.#past.map((noise, j) => [`past-${j + 1}`, noise]));
  }

  restore(state: NoiseState, round: number): void {
    this.#past = [];
    if (this.#source === 'seeded') {
      this.#next = 1;
      while (this.#next <= round) this.#draw(this.#next);
      return;
    }
    for (let j = 1; j <= Math.min(round, this.#coefficients.length - 1); j++) {
      const noise = state[`past-${j}`];
      if (noise?.length !== this.#layout.size)
        throw new PrivacyError(`banded noise: the checkpoint lacks round ${round + 1 - j}`);
      this.#past.push(noise.slice());
    }
    this.#next = round + 1;
  }

  #draw(round: number): Float64Array {
    requireOrder(round, this.#next);
    const noise = new Float64Array(this.#layout.size);
    for (const [h, { offset, size }] of this.#layout.layers.entries()) {
      fillNormals(noise, offset, offset + size, this.#steps, this.#streams(round, h));
    }
    const [first] = this.#coefficients;
    for (const [j, past] of this.#past.entries()) subtractScaled(noise, past, this.#coefficients[j + 1]);
    for (let i = 0; i < noise.length; i++) noise[i] /= first;
    if (this.#coefficients.length > 1) {
      this.#past.unshift(noise);
      this.#past.length = Math.min(this.#past.length, this.#coefficients.length - 1);
    }
    this.#next = round + 1;
    return noise;
  }
}

function fillNormals(
  noise: Float64Array,
  start: number,
  end: number,
  steps: number,
  stream: ReturnType<NoiseStreams>,
): void {
  for (let i = start; i < end; i++) noise[i] = steps * standardNormal(stream);
}

function subtractScaled(noise: Float64Array, past: Float64Array, factor: number): void {
  for (let i = 0; i < noise.length; i++) noise[i] -= factor * past[i];
}
