import { secureStream } from '../random/secure.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';
import { type AddNoise, coordinateNoise, type NoiseKind, type NoiseSource } from './noise.ts';

/** The noise that every client of a round adds to its own clipped delta. */
export interface ClientNoiseSpec {
  readonly kind: NoiseKind;
  /** Scale in grid steps. */
  readonly steps: number;
  readonly source: NoiseSource;
  /** Whether it has to hide the client from the server too. */
  readonly local: boolean;
}

/** Adds a client's own noise. With a seed it follows from (seed, round, client): a shard trained again gives the same bits. */
export class ClientNoise {
  readonly local: boolean;
  readonly #add: AddNoise;
  readonly #stream: (round: number, client: number) => RandomStream;

  constructor({ kind, steps, source, local }: ClientNoiseSpec, seed: number | string) {
    this.local = local;
    this.#add = coordinateNoise(kind, steps);
    const secure = source === 'cryptographic' ? secureStream() : null;
    this.#stream = (round, client) => secure ?? namedStream(seed, 'client-noise', round, client);
  }

  /** Adds noise in place to every coordinate of `sum` (grid integers). */
  addTo(sum: Float64Array, round: number, client: number): void {
    this.#add(sum, 0, sum.length, this.#stream(round, client));
  }
}
