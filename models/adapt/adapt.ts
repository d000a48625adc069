import { withoutDropout } from '../../graph/dropout.ts';
import { elementCount, type Model } from '../../graph/ir.ts';
import { withParameters } from '../../graph/parameters.ts';
import type { ParameterLayout } from '../../params/layout.ts';
import type { TrainConfig } from '../config.ts';
import { type BatchNormChoice, settleBatchNorm } from './batch-norm.ts';
import { foldedNote, foldedValues } from './folded-values.ts';
import type { BatchNormHandling } from './group-norm.ts';
import { LayerNames } from './layer-names.ts';
import { type LikelyBuffer, likelyBuffers } from './likely-buffers.ts';
import { selectWeights } from './select-weights.ts';
import { mergedNotes, tiedNote, tiedWeights } from './tied-weights.ts';
import { scalarNote, untrainedScalars } from './untrained-scalars.ts';
import { withLora } from './with-lora.ts';

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
  /** What adapters were put in, in words; undefined without LoRA. */
  readonly lora?: string;
  /** Trained tensors that look as if they should not be. */
  readonly likelyBuffers: readonly LikelyBuffer[];
  /** What else a user should know of the choice, one line each. */
  readonly notes: readonly string[];
  /** The whole model with trained parameters and dropout off, to be written as a file. */
  readonly finish: (layout: ParameterLayout, parameters: Float32Array) => Model;
}

/**
 * Applies the settings of a run to a model: BatchNormalization first, then adapters or the choice of layers.
 * @param seed names the stream that fresh adapters are drawn from
 * @throws ConfigError when the settings do not fit the model, ModelError for a BatchNormalization that cannot be treated
 */
export function adaptModel(
  given: Model,
  { train = {}, batchNorm }: Adaptation = {},
  seed: number | string = 1,
): AdaptedModel {
  const { model: whole, choice } = settleBatchNorm(given, batchNorm);
  const names = new LayerNames(whole);
  const { lora, ...selection } = train;
  const adapters = lora && withLora(whole, names, { ...selection, lora }, seed);
  const folded = foldedValues(whole);
  const model = adapters?.model ?? selectWeights(whole, names, selection, folded);
  const trained = new Set(model.weights);
  const finish =
    adapters?.finish ??
    ((layout: ParameterLayout, parameters: Float32Array) => withParameters(whole, layout, parameters));
  return {
    model,
    trained: parameterCount(model, model.weights),
    frozen: parameterCount(
      whole,
      whole.weights.filter((name) => !trained.has(name)),
    ),
    batchNorm: choice,
    lora: adapters?.words,
    likelyBuffers: likelyBuffers(model),
    notes: lora ? [] : notesOn(whole, model.weights, train.include ? [] : folded),
    // All weights stay initializers, whether they were trained or not.
    finish: (layout, parameters) => withoutDropout(finish(layout, parameters)),
  };
}

/** What a user should know of a model as it is trained. */
function notesOn(whole: Model, trained: readonly string[], folded: readonly string[]): string[] {
  const tied = tiedWeights(whole).filter(({ name, copy }) => trained.includes(name) || trained.includes(copy));
  const scalars = untrainedScalars(whole);
  return [
    ...(folded.length > 0 ? [foldedNote(folded)] : []),
    ...(scalars.length > 0 ? [scalarNote(scalars)] : []),
    ...tied.map(tiedNote),
    ...mergedNotes({ ...whole, weights: trained }),
  ];
}

function parameterCount({ graph }: Model, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + elementCount(graph.constants.get(name)!.dims), 0);
}
