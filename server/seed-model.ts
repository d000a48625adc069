import type { ClientTrainer } from '../client/train-clients.ts';
import { selectExamples } from '../data/batches.ts';
import type { ExampleBatch } from '../data/dataset.ts';
import { ModelError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';
import type { SeedModelConfig } from './config.ts';
import { CentralOptimizer } from './optimizers/central-optimizer.ts';

/** What the seed stage needs. */
export interface SeedStage {
  readonly trainer: ClientTrainer;
  /** Public examples: nothing here is protected by differential privacy. */
  readonly examples: ExampleBatch;
  readonly config: SeedModelConfig;
  readonly layout: ParameterLayout;
  readonly seed: number | string;
  /** Hears of every step: number (from 1), batch loss. */
  readonly onStep?: (step: number, loss: number) => void;
}

/**
 * Trains the seed model centrally on public examples (arXiv:2310.00098: LARS, learning rate 0.5, gradient norm clip 1).
 * One local step with learning rate 1 makes the client delta the clipped batch gradient, so the same training graph serves.
 * @param initial parameters to start from; not changed
 * @returns the parameters after `config.steps` steps
 * @throws ModelError when a gradient is not finite
 */
export async function trainSeedModel(initial: Float32Array, stage: SeedStage): Promise<Float32Array> {
  const { trainer, examples, config, layout, seed, onStep } = stage;
  const parameters = initial.slice();
  const gradient = layout.allocate();
  const optimizer = new CentralOptimizer(config.optimizer, layout);
  for (let step = 1; step <= config.steps; step++) {
    const drawn = drawWithoutReplacement(examples.count, config.batchSize, namedStream(seed, 'seed-batches', step));
    const batch = selectExamples(examples, drawn);
    const { delta, loss } = await trainer.train(
      parameters,
      batch,
      { steps: 1, batchSize: batch.count, learningRate: 1, maxGradientNorm: config.maxGradientNorm },
      namedStream(seed, 'seed-step', step),
    );
    if (!delta.every(Number.isFinite)) {
      throw new ModelError(
        `seedModel: the gradient of step ${step} is not finite; lower seedModel.optimizer.learningRate`,
      );
    }
    gradient.set(delta);
    optimizer.step(parameters, gradient);
    onStep?.(step, loss);
  }
  return parameters;
}

/** `size` distinct indices below `count` (all of them when there are fewer), by a partial Fisher-Yates shuffle. */
export function drawWithoutReplacement(count: number, size: number, random: RandomStream): number[] {
  const indices = Array.from({ length: count }, (_, index) => index);
  const drawn = Math.min(size, count);
  for (let i = 0; i < drawn; i++) {
    const j = i + random.integer(count - i);
    [indices[i], indices[j]] = [indices[j], indices[i]];
  }
  return indices.slice(0, drawn);
}
