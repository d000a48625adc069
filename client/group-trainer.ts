import type { ExampleBatch } from '../data/dataset.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import type { ScatteredLayers } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { batchOffsets, drawOrder } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { takesParts } from './grouping.ts';
import { haveSameShape, joinExamples } from './joined-examples.ts';
import type { StartingPoint, TrainingSession } from './training-session.ts';

/** A client's data, and the stream that draws its mini-batches. */
export interface ClientWork {
  readonly examples: ExampleBatch;
  readonly random: RandomStream;
}

/** What local training of one of several clients came to. */
export interface GroupResult {
  /** Holds until the next run. */
  readonly delta: ScatteredLayers;
  /** Mean loss over the local steps. */
  readonly loss: number;
  /** Wall-clock seconds inside onnxruntime. */
  readonly seconds: number;
}

/** Trains a client whose visits are too many for company. */
type SingleTrainer = (
  start: StartingPoint,
  examples: ExampleBatch,
  settings: LocalConfig,
  random: RandomStream,
) => Promise<{ readonly delta: Float32Array; readonly loss: number; readonly seconds: number }>;

/**
 * Trains clients several at a time, in one run of a graph with an axis of clients (graph/client-groups.ts). A client comes to the same bits
 * whatever its company: a run has two clients at least, for onnxruntime takes other ways through an axis of size 1, and a client without
 * company is trained twice.
 */
export class GroupTrainer {
  /** The most clients of a run. */
  readonly size: number;
  private readonly session: TrainingSession;
  private readonly single: SingleTrainer;

  /** @param single trains one client alone */
  constructor(session: TrainingSession, single: SingleTrainer) {
    this.session = session;
    this.single = single;
    this.size = clientsPerRun(session.layout.size);
  }

  /** Clients, by their index, as they may be trained together: their mini-batches have the same sizes, and their examples. */
  split(clients: readonly ExampleBatch[], settings: LocalConfig): readonly (readonly number[])[] {
    const groups: { readonly offsets: readonly number[]; readonly first: ExampleBatch; readonly members: number[] }[] =
      [];
    // Most clients have as many examples as the one before them.
    let last: { readonly count: number; readonly offsets: readonly number[] } | undefined;
    for (const [index, examples] of clients.entries()) {
      const { count } = examples;
      if (last?.count !== count) last = { count, offsets: batchOffsets(count, settings.batchSize, settings) };
      const { offsets } = last;
      const group = groups.find(
        ({ members, first, ...known }) =>
          members.length < this.size &&
          !takesParts(offsets) &&
          haveSameShape(first, examples) &&
          areEqual(known.offsets, offsets),
      );
      if (group) group.members.push(index);
      else groups.push({ offsets, first: examples, members: [index] });
    }
    return groups.map(({ members }) => members);
  }

  /**
   * Local training of each client from the given parameters, which are not changed.
   * @param clients some that `split` puts together
   * @throws ModelError when the model cannot run on the examples of one of them
   */
  async train(
    start: StartingPoint,
    clients: readonly ClientWork[],
    settings: LocalConfig,
  ): Promise<readonly GroupResult[]> {
    const [{ examples, random }] = clients as readonly [ClientWork, ...ClientWork[]];
    const offsets = batchOffsets(examples.count, settings.batchSize, settings);
    if (takesParts(offsets)) {
      const { delta, loss, seconds } = await this.single(start, examples, settings, random);
      return [{ delta: { values: delta, starts: this.session.startsOf(0, 1) }, loss, seconds }];
    }
    return this.run(start, clients, offsets, settings);
  }

  private async run(
    start: StartingPoint,
    clients: readonly ClientWork[],
    offsets: readonly number[],
    settings: LocalConfig,
  ): Promise<GroupResult[]> {
    const visits = offsets.at(-1)!;
    const count = Math.max(2, clients.length);
    const order = new Int32Array(count * visits);
    const seeds = new Uint32Array(2 * count);
    let first = 0;
    for (const [client, { examples, random }] of clients.entries()) {
      const own = drawOrder(examples.count, visits, random);
      for (let i = 0; i < visits; i++) order[client * visits + i] = first + own[i]!;
      first += examples.count;
      if (this.session.drops) seeds.set([random.int32(), random.int32()], 2 * client);
    }
    if (clients.length === 1) {
      order.copyWithin(visits, 0, visits);
      seeds.copyWithin(2, 0, 2);
    }
    const { losses, seconds } = await this.session.run(start, {
      examples: joinExamples(clients.map(({ examples }) => examples)),
      settings,
      schedule: { order, offsets },
      clients: count,
      dropoutSeed: this.session.drops ? seeds : undefined,
    });
    const steps = offsets.length - 1;
    return clients.map((_, client) => {
      let loss = 0;
      for (let step = 0; step < steps; step++) loss += losses[step * count + client]!;
      return {
        delta: { values: this.session.delta, starts: this.session.startsOf(client, count) },
        loss: loss / steps,
        seconds: seconds / clients.length,
      };
    });
  }
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
