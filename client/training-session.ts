import * as ort from 'onnxruntime-node';
import type { ExampleBatch, TensorData } from '../data/dataset.ts';
import { ModelError } from '../errors.ts';
import { clientsPerRun } from '../graph/client-groups.ts';
import { type TrainingArtifact, trainingNames } from '../graph/compile.ts';
import { loopOverParts } from '../graph/long-training.ts';
import { splitPreparation } from '../graph/preparation.ts';
import { ParameterLayout } from '../params/layout.ts';
import type { BatchSchedule } from './batches.ts';
import type { LocalConfig } from './config.ts';
import { release } from './released-memory.ts';

/** Stands for "no clipping": float32 holds its square. */
const unclipped = 1e18;

/** What one run of the training graph works on. */
export interface RunWork {
  readonly examples: ExampleBatch;
  readonly settings: Pick<LocalConfig, 'learningRate' | 'maxGradientNorm'>;
  /** Of several clients, the order holds each one's visits, one client after the other, and the offsets are those of each. */
  readonly schedule: BatchSchedule;
  /** Of one client with more visits than the graph takes at once: the steps at which parts begin, and, last, how many steps there are. */
  readonly parts?: readonly number[];
  /** Default: 1. */
  readonly clients?: number;
  /** Where the delta of a run of one client goes in `delta`, in deltas from its start; default 0. */
  readonly place?: number;
  /** Decides the masks of dropout, where the model has any: two numbers for each client, or each part. */
  readonly dropoutSeed?: Uint32Array | undefined;
}

export interface RunFigures {
  /** [steps, clients] */
  readonly losses: Float32Array;
  /** [steps]: CTC targets that do not fit into their frames; empty for other losses. */
  readonly infeasible: Float32Array;
  /** Wall-clock seconds inside onnxruntime. */
  readonly seconds: number;
}

type Feeds = Readonly<Record<string, ort.Tensor>>;
type Outputs = Readonly<Record<string, ort.Tensor | null>>;

/** Parameters as a training graph takes them. */
export interface PreparedParameters {
  /** They must not change while this is in use. */
  readonly parameters: Float32Array;
  readonly layers: Feeds;
  /** The layers, and what all clients that start from them share: computed for the first who asks. */
  feeds(): Promise<Feeds>;
  /** Gives the memory back; no run may start from it afterwards. */
  release(): void;
}

/** Where local training starts: parameters, or the same prepared once for many clients. */
export type StartingPoint = Float32Array | PreparedParameters;

/** The parameters themselves. */
export function vectorOf(start: StartingPoint): Float32Array {
  return start instanceof Float32Array ? start : start.parameters;
}

/** A training graph in onnxruntime, with the memory that its runs write to. */
export class TrainingSession {
  readonly layout: ParameterLayout;
  /** Where runs write deltas: for each layer, that of each client. One buffer for all runs: new ones would cost page faults and collection. */
  readonly delta: Float32Array;
  /** Whether a run takes several clients. */
  readonly grouped: boolean;
  /** Whether the model has dropout. */
  readonly drops: boolean;
  private readonly session: ort.InferenceSession;
  /** Computes what depends on the parameters alone; undefined where nothing does. */
  private readonly preparation: ort.InferenceSession | undefined;
  private readonly onnx: Uint8Array;
  /** Takes a client in parts; opened for the first that has too many visits. */
  private long: Promise<ort.InferenceSession> | undefined;
  private readonly clips: boolean;
  /** By number of clients and place. Only these outputs are asked for; the others would be copied out for nobody. Figures come in new tensors. */
  private readonly outputs = new Map<string, Outputs>();

  private constructor(
    { onnx }: TrainingArtifact,
    { session, preparation }: Sessions,
    layout: ParameterLayout,
    delta: Float32Array | undefined,
  ) {
    this.onnx = onnx;
    this.session = session;
    this.preparation = preparation;
    this.layout = layout;
    this.drops = session.inputNames.includes(trainingNames.dropoutSeed);
    this.clips = session.inputNames.includes(trainingNames.maxGradientNorm);
    const order = session.inputMetadata.find(({ name }) => name === trainingNames.order);
    this.grouped = order?.isTensor === true && order.shape.length === 2;
    this.delta = delta ?? new Float32Array(layout.size * (this.grouped ? clientsPerRun(layout.size) : 1));
  }

  /**
   * @param delta memory for the deltas of as many clients as runs will have
   * @throws ModelError when the runtime cannot load the training graph
   */
  static async create(artifact: TrainingArtifact, delta?: Float32Array): Promise<TrainingSession> {
    return loading(async () => {
      const { preparation, step } = splitPreparation(artifact.onnx);
      const sessions = {
        session: await load(step),
        preparation: preparation && (await load(preparation)),
      };
      return new TrainingSession(artifact, sessions, new ParameterLayout(artifact.layers), delta);
    });
  }

  /** Makes parameters ready for the runs of any number of clients. */
  prepare(parameters: Float32Array): PreparedParameters {
    const { layout, preparation } = this;
    const layers: Feeds = Object.fromEntries(
      layout.layers.map((layer) => [
        trainingNames.layer(layer.name),
        new ort.Tensor('float32', layout.view(parameters, layer), layer.shape),
      ]),
    );
    let prepared: ort.InferenceSession.ReturnType = {};
    const compute = async (): Promise<Feeds> => {
      if (preparation) prepared = await run(preparation, layers);
      return { ...layers, ...prepared };
    };
    let feeds: Promise<Feeds> | undefined;
    return {
      parameters,
      layers,
      feeds: () => {
        feeds ??= compute();
        return feeds;
      },
      release: () => release(buffersOf(Object.values(prepared))),
    };
  }

  /**
   * One run from `start`, which is not changed, to `delta`.
   * @throws ModelError when the graph does not clip and the settings ask for it, when the runtime cannot load the graph in parts, or when
   *   the model cannot run on the examples
   */
  async run(
    start: StartingPoint,
    { examples, settings, schedule, parts, clients = 1, place = 0, dropoutSeed }: RunWork,
  ): Promise<RunFigures> {
    const { order, offsets } = schedule;
    const session = parts ? await this.longSession() : this.session;
    const prepared = start instanceof Float32Array ? this.prepare(start) : start;
    const feeds: Record<string, ort.Tensor> = {
      // The graph in parts computes what follows from parameters itself: only its first part starts from these.
      ...(parts ? prepared.layers : await prepared.feeds()),
      [trainingNames.learningRate]: scalar(settings.learningRate),
      [trainingNames.order]: new ort.Tensor(
        'int32',
        order,
        this.grouped ? [clients, order.length / clients] : [order.length],
      ),
      [trainingNames.offsets]: int64Vector(offsets),
    };
    if (this.clips)
      feeds[trainingNames.maxGradientNorm] = scalar(Math.min(settings.maxGradientNorm ?? unclipped, unclipped));
    else if (settings.maxGradientNorm !== null) throw new ModelError('this training graph does not clip gradients');
    for (const name in examples.fields) feeds[trainingNames.field(name)] = asTensor(examples.fields[name]!);
    if (parts) feeds[trainingNames.parts] = int64Vector(parts);
    if (dropoutSeed) {
      const dims = [...(parts ? [parts.length - 1] : []), ...(this.grouped ? [clients] : []), 2];
      feeds[trainingNames.dropoutSeed] = new ort.Tensor('uint32', dropoutSeed, dims);
    }
    const started = performance.now();
    const results = await run(session, feeds, this.outputsOf(clients, place));
    const seconds = (performance.now() - started) / 1000;
    const losses = results[trainingNames.losses]!.data as Float32Array;
    const infeasible = (results[trainingNames.infeasible]?.data ?? new Float32Array()) as Float32Array;
    // What was asked for in `delta` comes in a copy, too.
    release(buffersOf(this.layout.layers.map(({ name }) => results[trainingNames.delta(name)]!)));
    if (prepared !== start) prepared.release();
    return { losses, infeasible, seconds };
  }

  /** How many deltas there is room for. */
  get places(): number {
    return Math.floor(this.delta.length / this.layout.size);
  }

  /** Where each layer of one client's delta begins in `delta` after a run of `clients`. */
  startsOf(client: number, clients: number): readonly number[] {
    return this.layout.layers.map(({ offset, size }) => clients * offset + client * size);
  }

  private longSession(): Promise<ort.InferenceSession> {
    // The runtime's plans of memory spare small models a tenth of their time and more; of large ones they take memory, for nothing.
    const enableMemPattern = clientsPerRun(this.layout.size) > 1;
    this.long ??= loading(() => load(loopOverParts(this.onnx), { enableMemPattern }));
    return this.long;
  }

  private outputsOf(clients: number, place: number): Outputs {
    const key = `${clients} ${place}`;
    const known = this.outputs.get(key);
    if (known) return known;
    const start = place * this.layout.size;
    const deltas = this.layout.layers.map(({ name, shape, offset, size }): [string, ort.Tensor] => [
      trainingNames.delta(name),
      new ort.Tensor(
        'float32',
        this.delta.subarray(start + clients * offset, start + clients * (offset + size)),
        this.grouped ? [clients, ...shape] : shape,
      ),
    ]);
    const counted = this.session.outputNames.filter((name) => name === trainingNames.infeasible);
    const figures = [trainingNames.losses, ...counted].map((name): [string, null] => [name, null]);
    const outputs = Object.fromEntries<ort.Tensor | null>([...deltas, ...figures]);
    this.outputs.set(key, outputs);
    return outputs;
  }
}

interface Sessions {
  readonly session: ort.InferenceSession;
  readonly preparation: ort.InferenceSession | undefined;
}

async function loading<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new ModelError(`the compiled training step cannot be loaded: ${(error as Error).message}`, { cause: error });
  }
}

function load(onnx: Uint8Array, options: ort.InferenceSession.SessionOptions = {}): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(onnx, {
    ...options,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    // The graph is optimised already; the runtime would put transposes together that are faster apart.
    graphOptimizationLevel: 'disabled',
    // Errors come as exceptions, too, and are told once, in words.
    logSeverityLevel: 4,
  });
}

async function run(
  session: ort.InferenceSession,
  feeds: Feeds,
  outputs?: Outputs,
): Promise<ort.InferenceSession.ReturnType> {
  try {
    return await (outputs ? session.run(feeds, outputs) : session.run(feeds));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ModelError(`local training failed in onnxruntime: ${reason.replace(/\s+/g, ' ').trim()}`, { cause });
  }
}

function buffersOf(tensors: readonly ort.Tensor[]): ArrayBuffer[] {
  return tensors.map(({ data }) => (data as Float32Array<ArrayBuffer>).buffer);
}

function scalar(value: number): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.of(value), []);
}

function int64Vector(values: readonly number[]): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

function asTensor(field: TensorData): ort.Tensor {
  return field.type === 'float32'
    ? new ort.Tensor('float32', field.data, field.dims)
    : new ort.Tensor('int32', field.data, field.dims);
}
