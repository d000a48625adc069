import { ProtocolError } from '../errors.ts';
import type { ScatteredLayers } from '../params/layout.ts';
import type { RoundSettings } from './round-settings.ts';
import { type ShardClient, type TrainingContext, trainClients } from './train-clients.ts';

/** Wall-clock seconds that a shard took on its worker, and what they went to; the rest is bookkeeping. Never part of a result's bits. */
export interface ShardSeconds {
  readonly total: number;
  /** Reading or making the clients' examples. */
  readonly data: number;
  /** Inside the training session. */
  readonly training: number;
  /** Norms, clipping, rounding to the grid and adding to the shard's sum. */
  readonly clipping: number;
}

/**
 * What one shard of a cohort adds to the round. Sums run over the clients whose delta was accepted. Figures of clients are
 * rounded to multiples of 2^-30 before they are added, so that their sums, too, are exact (below 2^23) and do not depend on
 * how the cohort is cut into shards.
 *
 * With local noise the guarantee is against whoever reads this, too. The noisy sum is then all that it says: every client counts as
 * contributed, one whose delta is not finite with a delta of zero; losses and norms are NaN, counts of what is in the data 0.
 */
export interface ShardResult {
  /** The clipped deltas' exact sum: grid integers, one per parameter. */
  readonly sum: Float64Array;
  /** Clients whose delta entered the sum. */
  readonly contributed: number;
  /** Clients whose delta was not finite: counted, never summed. */
  readonly rejectedNonFinite: number;
  /** Sum of the clients' mean training losses. */
  readonly lossSum: number;
  readonly examples: number;
  /** How often their local steps skipped a target that does not fit into its frames. */
  readonly infeasibleTargets: number;
  /** Per layer: sum of the delta norms before clipping. */
  readonly deltaNormSums: Float64Array;
  /** Per layer: how many clients were clipped. */
  readonly clippedCounts: Float64Array;
  readonly seconds: ShardSeconds;
}

/** What the shard needs of `Clipper`: for each delta and layer, the norm before clipping and whether it was clipped. */
export interface DeltaClipper {
  addAll(
    sum: Float64Array,
    deltas: readonly { readonly delta: Float32Array | ScatteredLayers; readonly weight?: number }[],
  ): readonly (
    | { readonly accepted: true; readonly norms: ArrayLike<number>; readonly clipped: ArrayLike<boolean | number> }
    | { readonly accepted: false }
  )[];
}

/** A task that a worker has opened: everything but the round's parameters and the client ids. */
export interface ShardContext extends TrainingContext {
  /** Number of layers of the parameter vector. */
  readonly layers: number;
  readonly clipper: DeltaClipper;
  /** Memory for the sum of each shard, which then holds until the next; without it, every shard gets its own. */
  readonly sum?: Float64Array;
  /** Noise of the clients' own, added to every accepted delta. */
  readonly noise?:
    | { addTo(sum: Float64Array, round: number, client: number): void; readonly local: boolean }
    | undefined;
  /** Weight of a clipped delta in the sum, in [0, 1], by the client's number of examples; default 1. */
  readonly weight?: (examples: number) => number;
  /** The parts of this context that a round's own settings replace. */
  readonly inRound?: (settings: RoundSettings) => Pick<ShardContext, 'clipper' | 'noise'>;
}

/**
 * The context with what a round changes.
 * @throws ProtocolError when the round has settings and the task cannot follow them
 */
export function contextOfRound(context: ShardContext, settings: RoundSettings | undefined): ShardContext {
  if (settings === undefined) return context;
  if (context.inRound === undefined) throw new ProtocolError('a round came with settings that this task does not know');
  return { ...context, ...context.inRound(settings) };
}

/**
 * Trains the clients of one shard and adds up their clipped deltas.
 * @param round central step; with the seed and the client id it keys the client's random draws
 * @param parameters θ(t−1), flat; not changed
 * @param clientIds users of the data set
 * @param signal ends the work before the next clients
 * @throws ProtocolError when a client id is outside the population; DataError or ModelError, naming the client, when one cannot
 *   be trained; the signal's reason when it is aborted
 */
export async function trainShard(
  context: ShardContext,
  round: number,
  parameters: Float32Array,
  clientIds: readonly number[],
  signal?: AbortSignal,
): Promise<ShardResult> {
  const { layers, clipper, noise, weight } = context;
  const started = performance.now();
  const sum = context.sum?.fill(0) ?? new Float64Array(parameters.length);
  const silent = noise?.local === true;
  const deltaNormSums = new Float64Array(layers).fill(silent ? Number.NaN : 0);
  const clippedCounts = new Float64Array(layers);
  let contributed = 0;
  let rejectedNonFinite = 0;
  let lossSum = silent ? Number.NaN : 0;
  let examples = 0;
  let infeasibleTargets = 0;
  const seconds = { total: 0, data: 0, training: 0, clipping: 0 };
  const count = (client: ShardClient, outcome: ReturnType<DeltaClipper['addAll']>[number]) => {
    seconds.data += client.data;
    seconds.training += client.training;
    if (!outcome.accepted && !silent) {
      rejectedNonFinite += 1;
      return;
    }
    noise?.addTo(sum, round, client.id);
    contributed += 1;
    if (silent || !outcome.accepted) return;
    lossSum += onGrid(client.loss);
    examples += client.examples;
    infeasibleTargets += client.infeasibleTargets;
    for (let layer = 0; layer < layers; layer += 1) {
      deltaNormSums[layer] += onGrid(outcome.norms[layer]);
      clippedCounts[layer] += Number(outcome.clipped[layer]);
    }
  };
  for await (const clients of trainClients(context, round, parameters, clientIds, signal)) {
    const clipping = performance.now();
    const deltas = clients.map(({ delta, examples }) => ({ delta, weight: weight?.(examples) ?? 1 }));
    const outcomes = clipper.addAll(sum, deltas);
    seconds.clipping += (performance.now() - clipping) / 1000;
    for (const [i, client] of clients.entries()) count(client, outcomes[i]);
  }
  seconds.total = (performance.now() - started) / 1000;
  return {
    sum,
    contributed,
    rejectedNonFinite,
    lossSum,
    examples,
    infeasibleTargets,
    deltaNormSums,
    clippedCounts,
    seconds,
  };
}

function onGrid(figure: number): number {
  return Math.round(figure * 2 ** 30) / 2 ** 30;
}
