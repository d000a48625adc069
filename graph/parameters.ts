import type { ParameterLayout } from '../params/layout.ts';
import { float32Tensor, type Model } from './ir.ts';

/** The weights of a model as one flat vector. */
export function parametersOf(model: Model, layout: ParameterLayout): Float32Array {
  const flat = layout.allocate();
  for (const layer of layout.layers)
    flat.set(model.graph.constants.get(layer.name)!.data as Float32Array, layer.offset);
  return flat;
}

/** The same model with other weights. The new tensors are views of `flat`. */
export function withParameters(model: Model, layout: ParameterLayout, flat: Float32Array): Model {
  const constants = new Map(model.graph.constants);
  for (const layer of layout.layers) constants.set(layer.name, float32Tensor(layer.shape, layout.view(flat, layer)));
  return { ...model, graph: { ...model.graph, constants } };
}
