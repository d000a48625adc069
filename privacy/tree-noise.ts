import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import {
  IndependentNoise,
  type NoiseMechanism,
  type NoiseSource,
  type NoiseState,
  type NoiseStreams,
} from './noise.ts';

/**
 * DP-FTRL by tree aggregation (Kairouz, McMahan, Song, Thakkar, Thakurta & Xu 2021, arXiv:2103.00039). A binary tree stands over the rounds; each node's
 * sum of client deltas gets Gaussian noise once, and the sum of rounds 1 … t is read off the nodes that make up [1, t], at most log2(t) + 1 of them. What a
 * round releases is the difference of two such sums:
 *
 *     noise of round t = node(t) − Σ_{l < tz(t)} node(t − 2^l),      tz: trailing zeros of t in binary,
 *
 * where node(t) is the noise of the one node that round t completes. It replaces the nodes of its left half and below, so noise does
 * not pile up in the model as independent noise does. Each node's noise is a whole number of grid steps, so all of this is exact.
 */
export class TreeNoise implements NoiseMechanism {
  readonly #size: number;
  readonly #nodes: IndependentNoise;
  readonly #kept: Map<number, Float64Array> | null;
  #next = 1;

  /**
   * @param standardDeviation of each node's noise, in units of the parameters
   * @param source with `cryptographic`, noise still needed is kept in memory; with `seeded` it is drawn again from its name
   */
  constructor(
    layout: ParameterLayout,
    grid: ExactGrid,
    standardDeviation: number,
    streams: NoiseStreams,
    source: NoiseSource,
  ) {
    this.#size = layout.size;
    const scales = layout.layers.map(() => standardDeviation);
    this.#nodes = new IndependentNoise('gaussian', layout, grid, scales, streams);
    this.#kept = source === 'seeded' ? null : new Map();
  }

  addTo(sum: Float64Array, round: number): void {
    requireOrder(round, this.#next);
    const fresh = this.#draw(round);
    addScaled(sum, fresh, 1);
    for (const past of replacedNodes(round)) addScaled(sum, this.#past(past), -1);
    this.#kept?.set(round, fresh);
    this.#next = round + 1;
  }

  standardDeviation(round: number, layer: number): number {
    return this.#nodes.standardDeviation(round, layer) * Math.sqrt(1 + replacedNodes(round).length);
  }

  state(): NoiseState {
    return Object.fromEntries([...(this.#kept ?? [])].map(([round, noise]) => [`node-${round}`, noise]));
  }

  restore(state: NoiseState, round: number): void {
    this.#next = round + 1;
    if (this.#kept === null) return;
    this.#kept.clear();
    for (const node of activeNodes(round)) {
      const noise = state[`node-${node}`];
      if (noise?.length !== this.#size)
        throw new PrivacyError(`tree noise: the checkpoint lacks the node of round ${node}`);
      this.#kept.set(node, noise.slice());
    }
  }

  #past(round: number): Float64Array {
    if (this.#kept === null) return this.#draw(round);
    const noise = this.#kept.get(round);
    if (noise === undefined) throw new PrivacyError(`tree noise: the node of round ${round} is gone`);
    // Never needed again: a replaced node is part of no later sum.
    this.#kept.delete(round);
    return noise;
  }

  #draw(round: number): Float64Array {
    const noise = new Float64Array(this.#size);
    this.#nodes.addTo(noise, round);
    return noise;
  }
}

/** The rounds whose nodes are replaced by the node that `round` completes: t − 1, t − 2, t − 4, … */
export function replacedNodes(round: number): number[] {
  const nodes: number[] = [];
  for (let leaves = 1; round % (2 * leaves) === 0; leaves *= 2) nodes.push(round - leaves);
  return nodes;
}

/** The rounds whose nodes make up [1, round], one per binary digit 1. */
export function activeNodes(round: number): number[] {
  const nodes: number[] = [];
  for (let rest = round; rest > 0; rest -= rest & -rest) nodes.push(rest);
  return nodes;
}

/** Number of nodes above (and at) a leaf that are completed within `rounds`: the squared sensitivity of one participation. */
export function treeLevels(rounds: number): number {
  return Math.floor(Math.log2(rounds)) + 1;
}

/** @throws PrivacyError unless rounds come one after another: correlated noise is meaningless otherwise */
export function requireOrder(round: number, expected: number): void {
  if (round !== expected) {
    throw new PrivacyError(`correlated noise: round ${round} came where round ${expected} was due`);
  }
}

/** sum += factor · values */
function addScaled(sum: Float64Array, values: Float64Array, factor: 1 | -1): void {
  for (let i = 0; i < sum.length; i++) sum[i] += factor * values[i];
}
