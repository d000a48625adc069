import { setImmediate } from 'node:timers/promises';
import type { ExampleBatch, FederatedDataset } from '../data/dataset.ts';
import { FieldBuffers } from '../data/field-buffers.ts';
import { DataError, ModelError, ProtocolError } from '../errors.ts';
import type { ScatteredLayers } from '../params/layout.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';
import type { LocalConfig } from './config.ts';
import type { ClientWork } from './group-trainer.ts';
import type { PreparedParameters, StartingPoint } from './training-session.ts';

/** A client's delta, in memory that later clients use again, and the seconds in the session, if known. */
interface TrainedClient<Delta> {
  readonly delta: Delta;
  readonly loss: number;
  readonly infeasibleTargets?: number;
  readonly seconds?: number;
}

/** What the shard needs of `LocalTrainer`. */
export interface ClientTrainer {
  /** Has what clients that start from the same parameters share computed once; without it, each computes it itself. */
  prepare?(parameters: Float32Array): PreparedParameters;
  /** @param place of those for `keeps` deltas, the one that this client's overwrites; default 0 */
  train(
    start: StartingPoint,
    examples: ExampleBatch,
    settings: LocalConfig,
    random: RandomStream,
    place?: number,
  ): Promise<TrainedClient<Float32Array>>;
  /** How many deltas of clients that are trained one by one hold at once; default 1. */
  readonly keeps?: number;
  /** Trains up to `size` clients together, those that `split` puts together. */
  readonly groups?:
    | {
        readonly size: number;
        split(clients: readonly ExampleBatch[], settings: LocalConfig): readonly (readonly number[])[];
        train(
          start: StartingPoint,
          clients: readonly ClientWork[],
          settings: LocalConfig,
        ): Promise<readonly TrainedClient<ScatteredLayers>[]>;
      }
    | undefined;
}

/** What clients are trained with. */
export interface TrainingContext {
  readonly seed: number | string;
  readonly local: LocalConfig;
  readonly dataset: FederatedDataset;
  readonly trainer: ClientTrainer;
  /** Memory for the clients' examples; without it, every shard gets its own. */
  readonly buffers?: FieldBuffers;
}

/** One client of a shard, trained. */
export interface ShardClient {
  readonly id: number;
  /** Holds until the next clients are asked for. */
  readonly delta: Float32Array | ScatteredLayers;
  readonly loss: number;
  readonly examples: number;
  readonly infeasibleTargets: number;
  /** Wall-clock seconds for its examples, and inside the training session. */
  readonly data: number;
  readonly training: number;
}

interface OpenedClient {
  readonly id: number;
  readonly examples: ExampleBatch;
  /** Seconds that reading or making the examples took. */
  readonly data: number;
}

/**
 * How long small clients may follow each other before the event loop gets a turn: in it, a training thread hears that its lease is aborted, and
 * released memory is dropped.
 */
const TURN_MILLISECONDS = 10;

/**
 * Trains clients one after another, or several together where the trainer does. Every few milliseconds, between clients, the event loop gets
 * a turn.
 * @returns the clients in any order, a few at a time: those of one run, or as many as the trainer keeps
 * @throws ProtocolError when a client id is outside the population; DataError or ModelError, naming the client, when one cannot
 *   be trained; the signal's reason when it is aborted
 */
export async function* trainClients(
  context: TrainingContext,
  round: number,
  parameters: Float32Array,
  clientIds: readonly number[],
  signal?: AbortSignal,
): AsyncGenerator<readonly ShardClient[]> {
  const { dataset, trainer } = context;
  const outside = clientIds.find((id) => id >= dataset.population);
  if (outside !== undefined) {
    throw new ProtocolError(
      `lease of round ${round}: client ${outside} is outside this worker's population of ${dataset.population}; give it the server's data`,
    );
  }
  const prepared = trainer.prepare?.(parameters);
  try {
    yield* trainFrom(prepared ?? parameters, context, round, clientIds, signal);
  } finally {
    prepared?.release();
  }
}

async function* trainFrom(
  start: StartingPoint,
  context: TrainingContext,
  round: number,
  clientIds: readonly number[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly ShardClient[]> {
  const { dataset, local, trainer, buffers = new FieldBuffers() } = context;
  const { groups } = trainer;
  const keeps = groups ? 1 : (trainer.keeps ?? 1);
  let trained: ShardClient[] = [];
  const ids = groups ? bySize(dataset, clientIds) : clientIds;
  const opened = groups?.size ?? 1;
  let turned = Number.NEGATIVE_INFINITY;
  for (let first = 0; first < ids.length; first += opened) {
    if (performance.now() - turned > TURN_MILLISECONDS) {
      await setImmediate();
      turned = performance.now();
    }
    signal?.throwIfAborted();
    buffers.clear();
    const clients = ids.slice(first, first + opened).map((id) => open(dataset, round, id, buffers));
    const examples = clients.map((client) => client.examples);
    for (const members of groups?.split(examples, local) ?? [[0]]) {
      const company = members.map((index) => clients[index]!);
      trained.push(...(await train(context, round, start, company, trained.length)));
      if (trained.length < keeps) continue;
      yield trained;
      trained = [];
    }
  }
  if (trained.length > 0) yield trained;
}

/** Clients with as many examples stand next to each other: those are trained together. */
function bySize(dataset: FederatedDataset, ids: readonly number[]): readonly number[] {
  if (dataset.expectedWork === undefined) return ids;
  const sizes = new Map(ids.map((id) => [id, dataset.expectedWork!(id).examples]));
  return [...ids].sort((a, b) => sizes.get(a)! - sizes.get(b)!);
}

function open(dataset: FederatedDataset, round: number, id: number, buffers: FieldBuffers): OpenedClient {
  const started = performance.now();
  try {
    const examples = dataset.client(id, buffers);
    return { id, examples, data: (performance.now() - started) / 1000 };
  } catch (error) {
    throw untrainable(id, round, error);
  }
}

/** Trains clients that may be trained together, or one. */
async function train(
  context: TrainingContext,
  round: number,
  start: StartingPoint,
  clients: readonly OpenedClient[],
  place = 0,
): Promise<ShardClient[]> {
  const { seed, local, trainer } = context;
  const work = clients.map(({ id, examples }) => ({
    examples,
    random: namedStream(seed, 'client-batches', round, id),
  }));
  try {
    const [{ examples, random }] = work as [ClientWork, ...ClientWork[]];
    const trained = trainer.groups
      ? await trainer.groups.train(start, work, local)
      : [await trainer.train(start, examples, local, random, place)];
    return trained.map(({ delta, loss, infeasibleTargets = 0, seconds: training = 0 }, i) => {
      const { id, data, examples } = clients[i]!;
      return { id, delta, loss, examples: examples.count, infeasibleTargets, data, training };
    });
  } catch (error) {
    if (clients.length === 1) throw untrainable(clients[0]!.id, round, error);
    // Which of them it was shows when each is trained alone.
    for (const client of clients) await train(context, round, start, [client]);
    throw untrainable(clients.map(({ id }) => id).join(', '), round, error);
  }
}

/** An error names its client: it would come again on every worker, and ends the run. */
function untrainable(id: number | string, round: number, error: unknown): Error {
  const message = `client ${id} in round ${round} cannot be trained: ${error instanceof Error ? error.message : String(error)}`;
  return error instanceof DataError
    ? new DataError(message, { cause: error })
    : new ModelError(message, { cause: error });
}
