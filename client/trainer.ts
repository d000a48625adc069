import * as ort from 'onnxruntime-node';
import type { ExampleBatch, TensorData } from '../data/dataset.ts';
import { ModelError } from '../errors.ts';
import { type TrainingArtifact, trainingNames } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { type BatchSchedule, cutSchedule, drawBatches } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { release } from './released-memory.ts';

export interface LocalResult {
  /** Δ = θ(t−1) − θ_k, in the layout of the model. The buffer is reused by the next call. */
  readonly delta: Float32Array;
  /** Mean loss over the local steps. */
  readonly loss: number;
  readonly steps: number;
  /** How often a step met a CTC target that does not fit into its frames, and skipped it. */
  readonly infeasibleTargets: number;
  /** Wall-clock seconds inside onnxruntime. */
  readonly seconds: number;
}

/** Stands for "no clipping": float32 holds its square. */
const unclipped = 1e18;

/**
 * Most visits of examples in one run of the training graph, if they are more than one step: the graph gathers rows of all visits
 * (graph/deferred-updates.ts), which is to stay small beside the weights.
 */
const visitsPerRun = 256;

type Feeds = Readonly<Record<string, ort.Tensor>>;

/** Trains simulated clients one after another in one onnxruntime session: one run is a client's whole local training. */
export class LocalTrainer {
  readonly layout: ParameterLayout;
  private readonly session: ort.InferenceSession;
  /** Where the session writes, one buffer for all calls: new ones would cost page faults and collection. */
  private readonly delta: Float32Array;
  /** Only these outputs are asked for; the others would be copied out for nobody. Figures of steps come in new tensors. */
  private readonly outputs: Readonly<Record<string, ort.Tensor | null>>;
  /** Parameters between the runs of a client whose visits do not fit into one. */
  private moved: Float32Array | undefined;
  private readonly drops: boolean;
  private readonly clips: boolean;
  /** Tensors on the parameters of the last call: the clients of a round share them. */
  private weights: { readonly of: Float32Array; readonly feeds: Feeds } | undefined;

  private constructor(session: ort.InferenceSession, layout: ParameterLayout, delta: Float32Array) {
    this.session = session;
    this.layout = layout;
    this.delta = delta;
    this.drops = session.inputNames.includes(trainingNames.dropoutSeed);
    this.clips = session.inputNames.includes(trainingNames.maxGradientNorm);
    const counted = session.outputNames.filter((name) => name === trainingNames.infeasible);
    this.outputs = Object.fromEntries<ort.Tensor | null>([
      ...layout.layers.map((layer): [string, ort.Tensor] => [
        trainingNames.delta(layer.name),
        new ort.Tensor('float32', layout.view(this.delta, layer), layer.shape),
      ]),
      ...[trainingNames.losses, ...counted].map((name): [string, null] => [name, null]),
    ]);
  }

  /**
   * @param delta where clients' deltas are written; default: a new vector
   * @throws ModelError when the runtime cannot load the training graph
   */
  static async create(artifact: TrainingArtifact, delta?: Float32Array): Promise<LocalTrainer> {
    try {
      const session = await ort.InferenceSession.create(artifact.onnx, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        // The graph is optimised already; the runtime would put transposes together that are faster apart.
        graphOptimizationLevel: 'disabled',
      });
      const layout = new ParameterLayout(artifact.layers);
      return new LocalTrainer(session, layout, delta ?? layout.allocate());
    } catch (error) {
      throw new ModelError(`the compiled training step cannot be loaded: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /**
   * Local training of one client from the given parameters, which are not changed.
   * @param random draws the mini-batches, then the seed of dropout masks
   * @throws ModelError when the model cannot run on the examples
   */
  async train(
    parameters: Float32Array,
    examples: ExampleBatch,
    settings: LocalConfig,
    random: RandomStream,
  ): Promise<LocalResult> {
    const schedule = drawBatches(examples.count, settings.batchSize, settings, random);
    const feeds: Record<string, ort.Tensor> = {
      [trainingNames.learningRate]: scalar(settings.learningRate),
    };
    if (this.clips)
      feeds[trainingNames.maxGradientNorm] = scalar(Math.min(settings.maxGradientNorm ?? unclipped, unclipped));
    else if (settings.maxGradientNorm !== null) throw new ModelError('this training graph does not clip gradients');
    for (const name in examples.fields) feeds[trainingNames.field(name)] = asTensor(examples.fields[name]!);
    const runs = cutSchedule(schedule, visitsPerRun);
    const figures = { loss: 0, steps: 0, infeasibleTargets: 0, seconds: 0 };
    for (const [i, part] of runs.entries()) {
      if (this.drops) {
        // After the mini-batches, so that these are the same with dropout and without.
        const seed = Uint32Array.of(random.int32(), random.int32());
        feeds[trainingNames.dropoutSeed] = new ort.Tensor('uint32', seed, [2]);
      }
      await this.run(i === 0 ? parameters : this.moved!, feeds, part, figures);
      if (runs.length > 1) this.move(i === 0 ? parameters : this.moved!);
    }
    if (runs.length > 1) subtract(parameters, this.moved!, this.delta);
    return { ...figures, loss: figures.loss / figures.steps, delta: this.delta };
  }

  /** One run of the session, from `parameters` to `delta`; adds to the figures. */
  private async run(
    parameters: Float32Array,
    given: Feeds,
    { order, offsets }: BatchSchedule,
    figures: { loss: number; steps: number; infeasibleTargets: number; seconds: number },
  ): Promise<void> {
    const feeds = {
      ...this.weightFeeds(parameters),
      ...given,
      [trainingNames.order]: new ort.Tensor('int32', order, [order.length]),
      [trainingNames.offsets]: int64Vector(offsets),
    };
    const started = performance.now();
    const results = await this.session.run(feeds, this.outputs).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ModelError(`local training failed in onnxruntime: ${reason.replace(/\s+/g, ' ').trim()}`, { cause });
    });
    figures.seconds += (performance.now() - started) / 1000;
    for (const loss of results[trainingNames.losses]!.data as Float32Array) figures.loss += loss;
    figures.steps += offsets.length - 1;
    for (const count of (results[trainingNames.infeasible]?.data ?? []) as Float32Array) {
      figures.infeasibleTargets += count;
    }
    // What was asked for in `delta` comes in a copy, too.
    release(Object.values(results).map(({ data }) => (data as Float32Array<ArrayBuffer>).buffer));
  }

  /** Keeps where a run of a long local training has led to, for the next. */
  private move(from: Float32Array): void {
    this.moved ??= this.layout.allocate();
    subtract(from, this.delta, this.moved);
  }

  /** Views, so that parameters that change in place between calls are seen as they are. */
  private weightFeeds(parameters: Float32Array): Feeds {
    if (this.weights?.of === parameters) return this.weights.feeds;
    const { layout } = this;
    const feeds = Object.fromEntries(
      layout.layers.map((layer) => [
        trainingNames.layer(layer.name),
        new ort.Tensor('float32', layout.view(parameters, layer), layer.shape),
      ]),
    );
    this.weights = { of: parameters, feeds };
    return feeds;
  }
}

function scalar(value: number): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.of(value), []);
}

function int64Vector(values: readonly number[]): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

/** into = a − b; `into` may be one of them. */
function subtract(a: Float32Array, b: Float32Array, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = a[i]! - b[i]!;
}

function asTensor(field: TensorData): ort.Tensor {
  return field.type === 'float32'
    ? new ort.Tensor('float32', field.data, field.dims)
    : new ort.Tensor('int32', field.data, field.dims);
}
