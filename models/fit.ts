import { ModelError } from '../errors.ts';
import type { Binding } from '../graph/binding.ts';
import { agree } from '../graph/dims.ts';
import { inInputOrder } from '../graph/input-order.ts';
import type { Dim, Model } from '../graph/ir.ts';
import type { Task, TensorField } from './task.ts';

/**
 * Makes sure, as far as the shapes a model declares tell, that it takes the data's examples and predicts the data's classes or
 * symbols. Sizes that the file leaves open are not checked.
 * @param source names the model in messages
 * @throws ModelError that says which input or output does not fit
 */
export function requireFit(model: Model, binding: Binding, task: Task, source: string): void {
  if (task.kind === 'tensors') {
    requireTensorFit(model, binding, task.fields, source);
    return;
  }
  const example: readonly Dim[] =
    task.kind === 'classification' ? ['batch', ...task.imageShape] : ['batch', 'frames', task.filters];
  const field = task.kind === 'classification' ? 'image' : 'features';
  const input = model.graph.inputs.find(({ name }) => binding.inputs[name] === field);
  if (input && !agree(input.shape, inInputOrder(example, binding.orders?.[input.name]))) {
    throw new ModelError(
      `${source}: input '${input.name}' takes [${input.shape.join(', ')}], but the data's examples are [${example.join(', ')}]; change the data section or export the model for this data`,
    );
  }
  const [needed, what] =
    task.kind === 'classification'
      ? [task.classes.length, `${task.classes.length} classes`]
      : [task.alphabet.length + 1, `${task.alphabet.length} letters and the CTC blank`];
  const output = model.graph.outputs.find(({ name }) => name === binding.logits);
  const given = output?.shape.at(-1);
  // Beside a loss of its own a model may give other things than logits.
  const rank = task.kind === 'classification' ? 2 : 3;
  const isLogits = binding.loss.kind !== 'output' || output?.shape.length === rank;
  if (isLogits && typeof given === 'number' && given !== needed) {
    throw new ModelError(
      `${source}: output '${binding.logits}' gives ${given} logits, but the data has ${what}: ${needed}; export the model with ${needed} outputs`,
    );
  }
}

function requireTensorFit(model: Model, binding: Binding, fields: readonly TensorField[], source: string): void {
  for (const input of model.graph.inputs) {
    const field = fields.find(({ name }) => name === binding.inputs[input.name]);
    if (!field || agree(input.shape, ['batch', ...field.shape])) continue;
    throw new ModelError(
      `${source}: input '${input.name}' takes [${input.shape.join(', ')}], but the data's '${field.name}' is [${['batch', ...field.shape].join(', ')}]; change the data or export the model for it`,
    );
  }
}
