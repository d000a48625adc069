import { InferenceSession, Tensor } from 'onnxruntime-node';
import { selectExamples } from '../data/batches.ts';
import type { ExampleBatch, Task } from '../data/dataset.ts';
import { DataError, ModelError } from '../errors.ts';
import type { ForwardArtifact } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import type { EvaluationRecord } from './records.ts';
import { type ForwardOutputs, type ScoredTarget, scoresFor } from './scores.ts';

/** Measures a model on held-out examples. */
export class Evaluator {
  readonly #session: InferenceSession;
  readonly #layout: ParameterLayout;
  readonly #task: Task;
  readonly #scored: ScoredTarget;

  private constructor(session: InferenceSession, layout: ParameterLayout, task: Task, scored: ScoredTarget) {
    this.#session = session;
    this.#layout = layout;
    this.#task = task;
    this.#scored = scored;
  }

  /**
   * Opens the forward graph.
   * @param scored which loss the model has and which field it predicts; by default what the task fixes
   * @throws ModelError when onnxruntime refuses it
   */
  static async create(forward: ForwardArtifact, task: Task, scored: ScoredTarget = {}): Promise<Evaluator> {
    // One thread: sums inside kernels then always round in the same order.
    const session = await InferenceSession.create(forward.onnx, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'basic',
      logSeverityLevel: 4,
    }).catch((cause: unknown) => {
      throw new ModelError(`evaluation: onnxruntime cannot open the forward graph: ${reason(cause)}`, { cause });
    });
    return new Evaluator(session, new ParameterLayout(forward.layers), task, scored);
  }

  /**
   * Loss and accuracy, or error rates, of `parameters` on `examples`. Batches are made of examples of like length, so that
   * little padding is computed; rates do not depend on the batches, nor does a loss that is a plain mean over examples.
   * @throws DataError when there are no examples
   * @throws ModelError when the forward pass fails or the loss is not finite
   */
  async evaluate(parameters: Float32Array, examples: ExampleBatch, batchSize: number): Promise<EvaluationRecord> {
    if (examples.count === 0) throw new DataError('evaluation: the data set has no held-out examples');
    const scores = scoresFor(this.#task, this.#scored);
    const order = longestFirst(examples);
    const weights = this.#weights(parameters);
    let lossSum = 0;
    let infeasible = 0;
    for (let start = 0; start < order.length; start += batchSize) {
      const batch = selectExamples(examples, order.slice(start, start + batchSize));
      const { loss, outputs, infeasible: skipped } = await this.#forward(weights, batch);
      lossSum += loss * batch.count;
      infeasible += skipped;
      if (outputs) scores.add(outputs, batch);
    }
    const loss = lossSum / examples.count;
    if (!Number.isFinite(loss)) {
      throw new ModelError(
        `evaluation: the loss on held-out examples is ${loss}; training has diverged, lower the learning rates`,
      );
    }
    const skipped = infeasible > 0 ? { infeasible } : {};
    return { examples: examples.count, loss, ...scores.measures(), ...skipped };
  }

  /** Frees the session. */
  async close(): Promise<void> {
    await this.#session.release();
  }

  #weights(parameters: Float32Array): Record<string, Tensor> {
    return Object.fromEntries(
      this.#layout.layers.map((layer) => [
        layer.name,
        new Tensor('float32', this.#layout.view(parameters, layer), layer.shape),
      ]),
    );
  }

  async #forward(
    weights: Record<string, Tensor>,
    batch: ExampleBatch,
  ): Promise<{ loss: number; infeasible: number; outputs?: ForwardOutputs }> {
    const feeds = { ...weights };
    for (const [name, field] of Object.entries(batch.fields)) {
      // A model may ignore a field; onnxruntime refuses inputs that it does not know.
      if (this.#session.inputNames.includes(name)) feeds[name] = tensorOf(field);
    }
    const results = await this.#session.run(feeds).catch((cause: unknown) => {
      throw new ModelError(`evaluation: the forward pass failed: ${reason(cause)}`, { cause });
    });
    const { logits, loss, output_lengths: lengths, infeasible } = results;
    const outputs = logits && {
      logits: { dims: logits.dims, data: logits.data as Float32Array },
      outputLengths: lengths?.data as Int32Array | undefined,
    };
    return { loss: Number(loss.data[0]), infeasible: Number(infeasible?.data[0] ?? 0), outputs };
  }
}

function tensorOf(field: ExampleBatch['fields'][string]): Tensor {
  return field.type === 'float32'
    ? new Tensor('float32', field.data, field.dims)
    : new Tensor('int32', field.data, field.dims);
}

/** Indices of the examples, longest first where examples have lengths; equal lengths keep their order. */
function longestFirst({ count, fields }: ExampleBatch): number[] {
  const indices = Array.from({ length: count }, (_, index) => index);
  const lengths = fields.lengths?.data;
  return lengths === undefined ? indices : indices.sort((a, b) => lengths[b] - lengths[a] || a - b);
}

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
}
