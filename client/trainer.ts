import * as ort from 'onnxruntime-node';
import type { ExampleBatch, TensorData } from '../data/dataset.ts';
import { ModelError } from '../errors.ts';
import { type TrainingArtifact, trainingNames } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import type { RandomStream } from '../random/stream.ts';
import { drawBatches } from './batches.ts';
import type { LocalConfig } from './config.ts';

export interface LocalResult {
  /** Δ = θ(t−1) − θ_k, in the layout of the model. The buffer is reused by the next call. */
  readonly delta: Float32Array;
  /** Mean loss over the local steps. */
  readonly loss: number;
  readonly steps: number;
}

/** Stands for "no clipping" in float32, where dividing infinity by infinity would not. */
const unclipped = 3.4e38;

/** Trains simulated clients one after another in one onnxruntime session: one run is a client's whole local training. */
export class LocalTrainer {
  readonly layout: ParameterLayout;
  private readonly session: ort.InferenceSession;
  private readonly delta: Float32Array;

  private constructor(session: ort.InferenceSession, layout: ParameterLayout) {
    this.session = session;
    this.layout = layout;
    this.delta = layout.allocate();
  }

  /** @throws ModelError when the runtime cannot load the training graph */
  static async create(artifact: TrainingArtifact): Promise<LocalTrainer> {
    try {
      const session = await ort.InferenceSession.create(artifact.onnx, {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'basic',
      });
      return new LocalTrainer(session, new ParameterLayout(artifact.layers));
    } catch (error) {
      throw new ModelError(`the compiled training step cannot be loaded: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /**
   * Local training of one client from the given parameters, which are not changed.
   * @param random draws the mini-batches
   * @throws ModelError when the model cannot run on the examples
   */
  async train(
    parameters: Float32Array,
    examples: ExampleBatch,
    settings: LocalConfig,
    random: RandomStream,
  ): Promise<LocalResult> {
    const { order, offsets } = drawBatches(examples.count, settings.batchSize, settings, random);
    const feeds: Record<string, ort.Tensor> = {
      [trainingNames.order]: int64Vector(order),
      [trainingNames.offsets]: int64Vector(offsets),
      [trainingNames.learningRate]: new ort.Tensor('float32', Float32Array.of(settings.learningRate), []),
      [trainingNames.maxGradientNorm]: new ort.Tensor(
        'float32',
        Float32Array.of(settings.maxGradientNorm ?? unclipped),
        [],
      ),
    };
    for (const layer of this.layout.layers) {
      feeds[trainingNames.layer(layer.name)] = new ort.Tensor(
        'float32',
        this.layout.view(parameters, layer),
        layer.shape,
      );
    }
    for (const [name, field] of Object.entries(examples.fields)) feeds[trainingNames.field(name)] = asTensor(field);
    const results = await this.session.run(feeds).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ModelError(`local training failed in onnxruntime: ${reason.replace(/\s+/g, ' ').trim()}`, { cause });
    });
    for (const layer of this.layout.layers) {
      const updated = results[trainingNames.updated(layer.name)]!.data as Float32Array;
      subtract(this.layout.view(this.delta, layer), this.layout.view(parameters, layer), updated);
    }
    const losses = results[trainingNames.losses]!.data as Float32Array;
    return {
      delta: this.delta,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      steps: losses.length,
    };
  }
}

/** out = a − b. Takes arrays, not fields of objects, so that the loop reads nothing else. */
function subtract(out: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! - b[i]!;
}

function int64Vector(values: readonly number[]): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

function asTensor(field: TensorData): ort.Tensor {
  return field.type === 'float32'
    ? new ort.Tensor('float32', field.data, field.dims)
    : new ort.Tensor('int32', field.data, field.dims);
}
