import type { ExampleBatch } from '../data/dataset.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { deltasPerPass } from '../params/grid-sum.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { drawBatches, partsOf } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { GroupTrainer } from './group-trainer.ts';
import { visitsAtOnce } from './grouping.ts';
import { type PreparedParameters, type StartingPoint, TrainingSession } from './training-session.ts';

export interface LocalResult {
  /** Δ = θ(t−1) − θ_k, in the layout of the model. A later call with the same place overwrites it. */
  readonly delta: Float32Array;
  /** Mean loss over the local steps. */
  readonly loss: number;
  readonly steps: number;
  /** How often a step met a CTC target that does not fit into its frames, and skipped it. */
  readonly infeasibleTargets: number;
  /** Wall-clock seconds inside onnxruntime. */
  readonly seconds: number;
}

/** Bytes that the deltas of one pass of adding may take; a larger model's are added one by one. */
const mostBytes = 2 ** 26;

/** How many deltas a worker has room for: those of all clients of a run, and of clients that are trained one by one, to add them together. */
export function deltasKept(parameters: number): number {
  const passes = [deltasPerPass.rounded, deltasPerPass.truncated, 1];
  const fitting = passes.find((deltas) => 4 * deltas * parameters <= mostBytes) ?? 1;
  return Math.max(clientsPerRun(parameters), fitting);
}

/** Trains simulated clients in one onnxruntime session, in which one run is a client's whole local training, or that of several clients. */
export class LocalTrainer {
  readonly layout: ParameterLayout;
  /** Trains clients of small models several at a time; undefined where the training graph takes one. */
  readonly groups: GroupTrainer | undefined;
  private readonly session: TrainingSession;

  private constructor(session: TrainingSession) {
    this.session = session;
    this.layout = session.layout;
    if (session.grouped) this.groups = new GroupTrainer(session, (...given) => this.train(...given));
  }

  /**
   * @param delta where clients' deltas are written, with room for those of all clients in a run; default: a new vector for one run
   * @throws ModelError when the runtime cannot load the training graph
   */
  static async create(artifact: TrainingArtifact, delta?: Float32Array): Promise<LocalTrainer> {
    return new LocalTrainer(await TrainingSession.create(artifact, delta));
  }

  /** How many deltas have a place of their own when clients are trained one by one. */
  get keeps(): number {
    return this.session.places;
  }

  /** Makes parameters ready for training many clients from them. */
  prepare(parameters: Float32Array): PreparedParameters {
    return this.session.prepare(parameters);
  }

  /**
   * Local training of one client from the given parameters, which are not changed.
   * @param random draws the mini-batches, then the seed of dropout masks
   * @param place where in the memory for deltas this one goes, below `keeps`
   * @throws ModelError when the model cannot run on the examples
   */
  async train(
    start: StartingPoint,
    examples: ExampleBatch,
    settings: LocalConfig,
    random: RandomStream,
    place = 0,
  ): Promise<LocalResult> {
    const { session } = this;
    const { size } = this.layout;
    const schedule = drawBatches(examples.count, settings.batchSize, settings, random);
    const parts = partsOf(schedule.offsets, visitsAtOnce);
    // After the mini-batches, so that these are the same with dropout and without.
    const dropoutSeed = session.drops
      ? Uint32Array.from({ length: 2 * (parts.length - 1) }, () => random.int32())
      : undefined;
    const work = { examples, settings, schedule, place, dropoutSeed };
    const { losses, infeasible, seconds } = await session.run(start, parts.length > 2 ? { ...work, parts } : work);
    return {
      delta: session.delta.subarray(place * size, (place + 1) * size),
      loss: sum(losses) / losses.length,
      steps: losses.length,
      infeasibleTargets: sum(infeasible),
      seconds,
    };
  }
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}
