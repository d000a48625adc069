import type { Model } from '../../graph/ir.ts';
import { withParameters } from '../../graph/parameters.ts';
import type { ParameterLayout } from '../../params/layout.ts';
import type { TrainConfig } from '../config.ts';
import type { LayerNames } from './layer-names.ts';
import { addAdapters, mergeAdapters } from './lora.ts';
import { loraTargets } from './lora-targets.ts';

/** A model with adapters, and what becomes of them at the end. */
export interface LoraModel {
  readonly model: Model;
  /** One sentence for people. */
  readonly words: string;
  readonly finish: (layout: ParameterLayout, parameters: Float32Array) => Model;
}

/**
 * Adapters instead of the matrices that `lora.targets` names. With LoRA only they are trained, and, whole and without an adapter, the
 * layers that `include` names; `exclude` takes layers from both.
 * @throws ConfigError when a pattern fits nothing
 */
export function withLora(
  base: Model,
  names: LayerNames,
  { include = [], exclude = [], lora }: TrainConfig & { readonly lora: NonNullable<TrainConfig['lora']> },
  seed: number | string,
): LoraModel {
  const excluded = names.matching(exclude, 'train.exclude');
  const included = names.matching(include, 'train.include');
  const whole = new Set([...included].filter((name) => !excluded.has(name)));
  const targets = loraTargets(base, names, lora.targets, new Set([...excluded, ...whole]));
  const settings = { rank: lora.rank, alpha: lora.alpha ?? lora.rank };
  const model = addAdapters(base, targets, settings, whole, seed);
  const matrices = `${targets.length} ${targets.length === 1 ? 'matrix' : 'matrices'}`;
  const besides =
    whole.size === 0 ? '' : `, beside ${whole.size} ${whole.size === 1 ? 'layer' : 'layers'} trained whole`;
  return {
    model,
    words: `LoRA of rank ${settings.rank} (alpha ${settings.alpha}) on ${matrices}${besides}; model.onnx is written ${lora.write === 'merged' ? 'with the adapters merged' : 'with adapters'}`,
    finish: (layout, parameters) => {
      const trained = withParameters(model, layout, parameters);
      if (lora.write === 'merged') return mergeAdapters(base, trained, targets, settings);
      return { ...trained, weights: [...base.weights, ...model.weights.filter((name) => !whole.has(name))] };
    },
  };
}
