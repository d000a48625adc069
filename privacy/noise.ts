import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
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
}

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

/**
 * The Gaussian mechanism on the exact grid.
 *
 * Each coordinate receives `round(N(0, std²) / step)` grid steps. The sum consists of integers, so
 * sum + round(noise) = round(sum + noise): the released value is a function of the Gaussian mechanism's output alone, and rounding is
 * post-processing that costs no privacy. It also leaves only grid integers, so the low bits of a float do not betray the
 * sum (Mironov 2012, "On significance of the least significant bits for differential privacy"); the normal draws themselves are
 * float64 approximations with 53 random bits, far finer than a grid made by `ExactGrid.forNoisySum`, which also leaves room so that
 * sum and noise together stay exact.
 */
export class GaussianMechanism implements NoiseMechanism {
  /** Standard deviation (not variance) on the sum of clipped deltas, in units of the parameters: z·C. */
  readonly standardDeviation: number;
  readonly #layout: ParameterLayout;
  readonly #steps: number;
  readonly #streams: NoiseStreams;

  /** @throws PrivacyError when the standard deviation is not positive and finite */
  constructor(layout: ParameterLayout, grid: ExactGrid, standardDeviation: number, streams: NoiseStreams) {
    if (!(standardDeviation > 0) || !Number.isFinite(standardDeviation)) {
      throw new PrivacyError(
        `Gaussian noise needs a positive finite standard deviation, got ${standardDeviation}; to train without noise set privacy.mechanism: none`,
      );
    }
    this.standardDeviation = standardDeviation;
    this.#layout = layout;
    this.#steps = standardDeviation * grid.perUnit;
    this.#streams = streams;
  }

  addTo(sum: Float64Array, round: number): void {
    const { layers, size } = this.#layout;
    if (sum.length !== size) {
      throw new PrivacyError(`noise: the layout has ${size} parameters, but the sum has ${sum.length}`);
    }
    for (let h = 0; h < layers.length; h++) {
      addNormals(sum, layers[h].offset, layers[h].offset + layers[h].size, this.#steps, this.#streams(round, h));
    }
  }
}

function addNormals(sum: Float64Array, start: number, end: number, steps: number, stream: RandomStream): void {
  for (let i = start; i < end; i++) sum[i] += Math.round(steps * standardNormal(stream));
}

/** Training without differential privacy: the sum stays as it is. */
export const noNoise: NoiseMechanism = Object.freeze({ addTo() {} });
