import { ConfigError } from '../../errors.ts';
import type { Model } from '../../graph/ir.ts';
import type { LayerNames } from './layer-names.ts';

/** Name patterns of the layers to train. */
export interface Selection {
  /** Default: every layer but values that the exporter computed. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * The same model with fewer weights. The others become constants of every graph made from it: no gradient reaches them, and they are
 * in no parameter vector.
 * @param folded weights that are trained only when `include` names them
 * @throws ConfigError when a pattern fits nothing, or nothing is left to train
 */
export function selectWeights(
  model: Model,
  names: LayerNames,
  { include, exclude = [] }: Selection,
  folded: readonly string[] = [],
): Model {
  const wanted = include
    ? names.matching(include, 'train.include')
    : new Set(names.layers.filter((name) => !folded.includes(name)));
  const unwanted = names.matching(exclude, 'train.exclude');
  const weights = model.weights.filter((name) => wanted.has(name) && !unwanted.has(name));
  if (weights.length === 0 && model.weights.length > 0) {
    throw new ConfigError(
      `train: nothing is left to train: 'exclude' takes all ${wanted.size} layers that 'include' names; loosen one of them`,
    );
  }
  return { ...model, weights };
}
