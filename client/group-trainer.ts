import type { ExampleBatch } from '../data/dataset.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import type { ScatteredLayers } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { batchOffsets, drawBatches } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { haveSameShape, joinExamples } from './joined-examples.ts';
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

/** Clients that may be trained in one run, and where their mini-batches begin. */
interface Group {
  readonly offsets: readonly number[];
  readonly members: Member[];
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
    for (const { offsets, members } of this.alike(clients, settings)) {
      if (offsets.length > 2 && offsets.at(-1)! > visitsPerRun) {
        yield* this.trainAlone(parameters, members, settings);
        continue;
      }
      for (let i = 0; i < members.length; i += this.size) {
        yield* this.trainGroup(parameters, members.slice(i, i + this.size), offsets, settings);
      }
    }
  }

  /** Clients by the sizes of their mini-batches and of their examples. */
  private alike(clients: readonly ClientWork[], settings: LocalConfig): readonly Group[] {
    const groups: Group[] = [];
    for (const [index, client] of clients.entries()) {
      const offsets = batchOffsets(client.examples.count, settings.batchSize, settings);
      const group = groups.find(
        (known) => haveSameShape(known.members[0]!.examples, client.examples) && areEqual(known.offsets, offsets),
      );
      const member = { ...client, index };
      if (group) group.members.push(member);
      else groups.push({ offsets, members: [member] });
    }
    return groups;
  }

  private async *trainAlone(
    parameters: Float32Array,
    members: readonly Member[],
    settings: LocalConfig,
  ): AsyncGenerator<GroupResult> {
    const starts = this.session.startsOf(0, 1);
    for (const { index, examples, random } of members) {
      const { delta, loss, seconds } = await this.single(parameters, examples, settings, random);
      yield { index, delta: { values: delta, starts }, loss, seconds };
    }
  }

  private async *trainGroup(
    parameters: Float32Array,
    group: readonly Member[],
    offsets: readonly number[],
    settings: LocalConfig,
  ): AsyncGenerator<GroupResult> {
    const visits = offsets.at(-1)!;
    const clients = Math.max(2, group.length);
    const order = new Int32Array(clients * visits);
    let first = 0;
    for (const [client, { examples, random }] of group.entries()) {
      const own = drawBatches(examples.count, settings.batchSize, settings, random).order;
      for (let i = 0; i < visits; i++) order[client * visits + i] = first + own[i]!;
      first += examples.count;
    }
    if (group.length === 1) order.copyWithin(visits, 0, visits);
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

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
