import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { discreteGaussian, discreteLaplace } from '../random/discrete.ts';
import { standardNormal } from '../random/normal.ts';
import { secureStream } from '../random/secure.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';

/** Adds privacy noise to the exact sum of a round. The server calls it once per round, whatever the number of workers. */
export interface NoiseMechanism {
  /**
   * Adds noise in place to `sum` (grid integers). Every round gets noise, an empty cohort too: its zero sum would otherwise tell
   * that nobody was sampled.
   * @param round central step, 1 … T
   */
  addTo(sum: Float64Array, round: number): void;
  /** Standard deviation of the noise on each coordinate of layer `layer` of the sum in `round`, in units of the parameters. */
  standardDeviation(round: number, layer: number): number;
  /** Earlier noise that later rounds need and nobody can draw again, for the checkpoint. Absent when rounds are independent. */
  state?(): NoiseState;
  /**
   * Makes ready for the round after `round`.
   * @throws PrivacyError when the state is not that of this mechanism
   */
  restore?(state: NoiseState, round: number): void;
}

/** Named flat vectors of earlier noise, in grid steps. */
export type NoiseState = Readonly<Record<string, Float64Array>>;

/** `seeded`: reproducible, for research. `cryptographic`: from the operating system, for a real release. */
export type NoiseSource = 'seeded' | 'cryptographic';

/** Gives the stream of one layer's noise in one round. */
export type NoiseStreams = (round: number, layer: number) => RandomStream;

/** Streams keyed by (seed, round, layer): the same seed gives the same noise, other rounds and layers independent noise. */
export function seededNoise(seed: number | string): NoiseStreams {
  return (round, layer) => namedStream(seed, 'privacy-noise', round, layer);
}

/** One cryptographic stream for all rounds and layers; never repeats, whatever the round. */
export function cryptographicNoise(): NoiseStreams {
  const stream = secureStream();
  return () => stream;
}

/** Distribution of the noise on one coordinate. The scale of `laplace` is b = std / √2. */
export type NoiseKind = 'gaussian' | 'discreteGaussian' | 'laplace';

/**
 * Independent noise on the exact grid, one scale per layer.
 *
 * - `gaussian`: each coordinate receives `round(N(0, std²) / step)` grid steps. The sum consists of integers, so
 *   sum + round(noise) = round(sum + noise): the released value is a function of the Gaussian mechanism's output alone, and rounding is
 *   post-processing that costs no privacy. It also leaves only grid integers, so the low bits of a float do not betray the
 *   sum (Mironov 2012, "On significance of the least significant bits for differential privacy"); the normal draws themselves are
 *   float64 approximations with 53 random bits, far finer than a grid made by `ExactGrid.forNoisySum`, which also leaves room so that
 *   sum and noise together stay exact.
 * - `discreteGaussian`, `laplace`: exact draws of whole steps (`random/discrete.ts`); no float64 approximation of a density is left.
 */
export class IndependentNoise implements NoiseMechanism {
  readonly #layout: ParameterLayout;
  readonly #scales: readonly number[];
  readonly #deviation: number;
  readonly #add: readonly AddNoise[];
  readonly #streams: NoiseStreams;

  /**
   * @param scales per layer, in units of the parameters: the standard deviation (not variance) on the sum, or b for `laplace`
   * @throws PrivacyError when a scale is not positive and finite
   */
  constructor(
    kind: NoiseKind,
    layout: ParameterLayout,
    grid: ExactGrid,
    scales: readonly number[],
    streams: NoiseStreams,
  ) {
    const wrong = scales.find((scale) => !(scale > 0) || !Number.isFinite(scale));
    if (wrong !== undefined || scales.length !== layout.layers.length) {
      throw new PrivacyError(
        `noise needs one positive finite scale per layer (${layout.layers.length}), got ${wrong ?? scales.length}; to train without noise set privacy.mechanism: none`,
      );
    }
    this.#layout = layout;
    this.#scales = scales;
    this.#deviation = kind === 'laplace' ? Math.SQRT2 : 1;
    const made = new Map<number, AddNoise>();
    this.#add = scales.map((scale) => {
      const add = made.get(scale) ?? coordinateNoise(kind, scale * grid.perUnit);
      made.set(scale, add);
      return add;
    });
    this.#streams = streams;
  }

  addTo(sum: Float64Array, round: number): void {
    const { layers, size } = this.#layout;
    if (sum.length !== size) {
      throw new PrivacyError(`noise: the layout has ${size} parameters, but the sum has ${sum.length}`);
    }
    for (let h = 0; h < layers.length; h++) {
      this.#add[h](sum, layers[h].offset, layers[h].offset + layers[h].size, this.#streams(round, h));
    }
  }

  standardDeviation(_round: number, layer: number): number {
    return this.#deviation * this.#scales[layer];
  }
}

/** Adds noise to `sum[start … end)`. */
export type AddNoise = (sum: Float64Array, start: number, end: number, stream: RandomStream) => void;

/** Noise of a kind with a scale in grid steps. */
export function coordinateNoise(kind: NoiseKind, steps: number): AddNoise {
  if (kind === 'gaussian') return (sum, start, end, stream) => addNormals(sum, start, end, steps, stream);
  const draw = kind === 'laplace' ? discreteLaplace(steps) : discreteGaussian(steps);
  return (sum, start, end, stream) => {
    for (let i = start; i < end; i++) sum[i] += draw(stream);
  };
}

/** To the nearest step by `floor`: `Math.round` looks at the sign of a remainder that no processor can foresee, and so takes as long as the draw. */
function addNormals(sum: Float64Array, start: number, end: number, steps: number, stream: RandomStream): void {
  for (let i = start; i < end; i++) sum[i] += Math.floor(steps * standardNormal(stream) + 0.5);
}

/** Training without differential privacy: the sum stays as it is. */
export const noNoise: NoiseMechanism = Object.freeze({ addTo() {}, standardDeviation: () => 0 });
