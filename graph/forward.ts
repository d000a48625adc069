import type { LayerSpec } from '../params/layout.ts';
import type { Binding } from './binding.ts';
import type { GraphBuilder } from './builder.ts';
import type { DropoutDraws } from './dropout.ts';
import { writeForward } from './import.ts';
import { reordered } from './input-order.ts';
import type { Model, Node } from './ir.ts';
import { cast, type WrittenLoss, writeLoss } from './losses/write-loss.ts';
import { optimiseForward } from './optimise.ts';

/** The trainable layers of a model, in the order of the flat parameter vector. */
export function layersOf(model: Model): LayerSpec[] {
  return model.weights.map((name) => ({ name, shape: model.graph.constants.get(name)!.dims }));
}

/** What a builder calls the outputs of a model. */
export function outputsOf(model: Model, names: ReadonlyMap<string, string>): string[] {
  return model.graph.outputs.map(({ name }) => names.get(name)!);
}

/** The values of a forward pass and its loss. */
export interface WrittenForward extends WrittenLoss {
  readonly nodes: readonly Node[];
}

/**
 * Writes forward pass and loss.
 * @param fields data field → value holding one mini-batch of it
 * @param weights layer → value holding the weight
 * @param dropout where masks come from in training; without it, dropout is off
 * @throws ModelError when the model, the data and the loss do not fit each other
 */
export function writeForwardAndLoss(
  b: GraphBuilder,
  model: Model,
  binding: Binding,
  fields: ReadonlyMap<string, string>,
  weights: ReadonlyMap<string, string>,
  dropout?: DropoutDraws,
): WrittenForward {
  const names = new Map(weights);
  for (const { name, dtype } of model.graph.inputs) {
    const field = cast(b, fields.get(binding.inputs[name] ?? '')!, dtype);
    names.set(name, reordered(b, field, binding.orders?.[name]));
  }
  const imported = b.within('forward', () => writeForward(b, model, names, dropout));
  const logits = binding.probabilities ? [names.get(binding.probabilities.of)!] : [];
  const nodes = optimiseForward(b, imported, [...outputsOf(model, names), ...logits]);
  return { nodes, ...b.within('loss', () => writeLoss(b, binding, fields, names)) };
}
