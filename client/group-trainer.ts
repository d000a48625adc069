import type { ExampleBatch } from '../data/dataset.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import type { ScatteredLayers } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { batchOffsets, drawBatches } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { exampleShape, joinExamples } from './joined-examples.ts';
import type { TrainingSession } from './training-session.ts';

/**
 * Most visits of examples in one run of the training graph, if they are more than one step: the graph gathers rows of all visits
 * (graph/deferred-updates.ts), which is to stay small beside the weights.
 */
export const visitsPerRun = 256;

/** A client's data, and the stream that draws its mini-batches. */
export interface ClientWork {
  readonly examples: ExampleBatch;
  readonly random: RandomStream;
}

/** What local training of one of several clients came to. */
export interface GroupResult {
  /** Which of them. */
  readonly index: number;
  /** Holds until the next result is asked for. */
  readonly delta: ScatteredLayers;
  /** Mean loss over the local steps. */
  readonly loss: number;
  /** Wall-clock seconds inside onnxruntime. */
  readonly seconds: number;
}

/** Trains a client whose local training takes several runs. */
type SingleTrainer = (
  parameters: Float32Array,
  examples: ExampleBatch,
  settings: LocalConfig,
  random: RandomStream,
) => Promise<{ readonly delta: Float32Array; readonly loss: number; readonly seconds: number }>;

interface Member extends ClientWork {
  readonly index: number;
}

/**
 * Trains clients several at a time, in one run of a graph with an axis of clients (graph/client-groups.ts). In one run go those whose
 * mini-batches have the same sizes. A client comes to the same bits whatever its company: a run has two clients at least, for
 * onnxruntime takes other ways through an axis of size 1, and a client without company is trained twice.
 */
export class GroupTrainer {
  /** Clients to give to `train` at once. */
  readonly size: number;
  private readonly session: TrainingSession;
  private readonly single: SingleTrainer;

  /** @param single trains one client alone */
  constructor(session: TrainingSession, single: SingleTrainer) {
    this.session = session;
    this.single = single;
    this.size = clientsPerRun(session.layout.size);
  }

  /**
   * Local training of each client from the given parameters, which are not changed; results come in any order.
   * @throws ModelError when the model cannot run on the examples of one of them
   */
  async *train(
    parameters: Float32Array,
    clients: readonly ClientWork[],
    settings: LocalConfig,
  ): AsyncGenerator<GroupResult> {
    const groups = new Map<string, Member[]>();
    for (const [index, { examples, random }] of clients.entries()) {
      const offsets = batchOffsets(examples.count, settings.batchSize, settings);
      if (offsets.length > 2 && offsets.at(-1)! > visitsPerRun) {
        const { delta, loss, seconds } = await this.single(parameters, examples, settings, random);
        yield { index, delta: { values: delta, starts: this.session.startsOf(0, 1) }, loss, seconds };
        continue;
      }
      const alike = `${exampleShape(examples)} ${offsets}`;
      const group = groups.get(alike) ?? [];
      groups.set(alike, group);
      group.push({ index, examples, random });
    }
    for (const group of groups.values()) {
      for (let i = 0; i < group.length; i += this.size) {
        yield* this.trainGroup(parameters, group.slice(i, i + this.size), settings);
      }
    }
  }

  private async *trainGroup(
    parameters: Float32Array,
    group: readonly Member[],
    settings: LocalConfig,
  ): AsyncGenerator<GroupResult> {
    const drawn = group.map(({ examples, random }) =>
      drawBatches(examples.count, settings.batchSize, settings, random),
    );
    const clients = Math.max(2, group.length);
    const { offsets, order: visits } = drawn[0]!;
    const order = new Int32Array(clients * visits.length);
    for (let client = 0, first = 0; client < clients; client++) {
      const member = client % group.length;
      for (const [i, example] of drawn[member]!.order.entries()) order[client * visits.length + i] = first + example;
      if (group.length > 1) first += group[member]!.examples.count;
    }
    const examples = joinExamples(group.map((member) => member.examples));
    const schedule = { order, offsets };
    const { losses, seconds } = await this.session.run(parameters, { examples, settings, schedule, clients });
    const steps = offsets.length - 1;
    for (const [client, { index }] of group.entries()) {
      let loss = 0;
      for (let step = 0; step < steps; step++) loss += losses[step * clients + client]!;
      yield {
        index,
        delta: { values: this.session.delta, starts: this.session.startsOf(client, clients) },
        loss: loss / steps,
        seconds: seconds / group.length,
      };
    }
  }
}
