import { elementCount, type Model } from '../../graph/ir.ts';
import { withParameters } from '../../graph/parameters.ts';
import type { ParameterLayout } from '../../params/layout.ts';
import type { TrainConfig } from '../config.ts';
import { type BatchNormChoice, settleBatchNorm } from './batch-norm.ts';
import type { BatchNormHandling } from './group-norm.ts';
import { LayerNames } from './layer-names.ts';
import { type LikelyBuffer, likelyBuffers } from './likely-buffers.ts';
import { selectWeights } from './select-weights.ts';

/** What is done to a model before it is trained. */
export interface Adaptation {
  readonly train?: TrainConfig;
  readonly batchNorm?: BatchNormHandling;
}

/** A model made ready for training. */
export interface AdaptedModel {
  /** What clients train: `weights` are the trained layers; all other tensors are constants. */
  readonly model: Model;
  /** How many parameters are trained (and sent, clipped and noised), and how many stay as they are. */
  readonly trained: number;
  readonly frozen: number;
  /** What became of BatchNormalization; undefined without any. */
  readonly batchNorm?: BatchNormChoice;
  /** Trained tensors that look as if they should not be. */
  readonly likelyBuffers: readonly LikelyBuffer[];
  /** The whole model with trained parameters, to be written as a file. */
  readonly finish: (layout: ParameterLayout, parameters: Float32Array) => Model;
}

/**
 * Applies the settings of a run to a model.
 * @throws ConfigError when the settings do not fit the model, ModelError for a BatchNormalization that cannot be treated
 */
export function adaptModel(given: Model, { train = {}, batchNorm }: Adaptation = {}): AdaptedModel {
  const { model: whole, choice } = settleBatchNorm(given, batchNorm);
  const model = selectWeights(whole, new LayerNames(whole), train);
  const trained = parameterCount(model, model.weights);
  return {
    model,
    trained,
    frozen: parameterCount(whole, whole.weights) - trained,
    batchNorm: choice,
    likelyBuffers: likelyBuffers(model),
    // All weights stay initializers, whether they were trained or not.
    finish: (layout, parameters) => withParameters(whole, layout, parameters),
  };
}

function parameterCount({ graph }: Model, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + elementCount(graph.constants.get(name)!.dims), 0);
}
