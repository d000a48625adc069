import type { ExampleBatch } from '../data/dataset.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { deltasPerPass } from '../params/grid-sum.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { cutSchedule, drawBatches } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { GroupTrainer } from './group-trainer.ts';
import { visitsPerRun } from './grouping.ts';
import { type PreparedParameters, type StartingPoint, TrainingSession, vectorOf } from './training-session.ts';

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
  /** Parameters between the runs of a client whose visits do not fit into one. */
  private moved: Float32Array | undefined;

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

  /** Makes parameters ready for training many clients from them. @throws ModelError when the runtime fails */
  prepare(parameters: Float32Array): Promise<PreparedParameters> {
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
    const delta = session.delta.subarray(place * size, (place + 1) * size);
    const runs = cutSchedule(drawBatches(examples.count, settings.batchSize, settings, random), visitsPerRun);
    const total = { loss: 0, steps: 0, infeasibleTargets: 0, seconds: 0 };
    for (const [i, schedule] of runs.entries()) {
      // After the mini-batches, so that these are the same with dropout and without.
      const dropoutSeed = session.drops ? Uint32Array.of(random.int32(), random.int32()) : undefined;
      const work = { examples, settings, schedule, place, dropoutSeed };
      const from = i === 0 ? start : this.moved!;
      const { losses, infeasible, seconds } = await session.run(from, work);
      for (const loss of losses) total.loss += loss;
      for (const count of infeasible) total.infeasibleTargets += count;
      total.steps += losses.length;
      total.seconds += seconds;
      if (runs.length > 1) this.move(vectorOf(from), delta);
    }
    if (runs.length > 1) subtract(vectorOf(start), this.moved!, delta);
    return { ...total, loss: total.loss / total.steps, delta };
  }

  /** Keeps where a run of a long local training has led to, for the next. */
  private move(from: Float32Array, delta: Float32Array): void {
    this.moved ??= this.layout.allocate();
    subtract(from, delta, this.moved);
  }
}

/** into = a − b; `into` may be one of them. */
function subtract(a: Float32Array, b: Float32Array, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = a[i]! - b[i]!;
}
