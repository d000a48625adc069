import { describe, expect, test } from '@jest/globals';
import { bindModel } from '../../graph/binding.ts';
import type { Dim, Model, Value } from '../../graph/ir.ts';
import { buildCnn } from '../../models/cnn.ts';
import { requireFit } from '../../models/fit.ts';
import type { Task } from '../../models/task.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';

const images: Task = { kind: 'classification', classes: ['cat', 'dog', 'fox'], imageShape: [3, 8, 8] };
const speech: Task = { kind: 'transcription', alphabet: ['a', 'b'], filters: 8 };

const cnn = (classes: number, imageShape: [number, number, number] = [3, 8, 8]) =>
  buildCnn({ kind: 'cnn', channels: [2], hidden: 4, imageShape, classes }, 1);
const transformer = (vocabulary: number, filters = 8) =>
  buildTransformerCtc(
    { kind: 'transformer-ctc', stride: 2, blocks: 1, width: 8, heads: 2, mlp: 8, filters, vocabulary },
    1,
  );
const check = (model: Model, task: Task) => requireFit(model, bindModel(model, task.kind, 'm.onnx'), task, 'm.onnx');

describe('requireFit', () => {
  test('takes the models that are built for the task', () => {
    check(cnn(3), images);
    check(transformer(3), speech);
  });

  test('takes inputs with their axes in another order', () => {
    const taking = (model: Model, shape: readonly Dim[]): Model => {
      const [input, ...others] = model.graph.inputs as [Value, ...Value[]];
      return { ...model, graph: { ...model.graph, inputs: [{ ...input, shape }, ...others] } };
    };
    check(taking(cnn(3), ['batch', 8, 8, 3]), images);
    check(taking(transformer(3), ['batch', 8, 'frames']), speech);
    check(taking(transformer(3), ['frames', 'batch', 8]), speech);
    expect(() => check(taking(cnn(3), ['batch', 8, 16, 3]), images)).toThrow(/takes \[batch, 8, 16, 3\].*3, 8, 8\]/);
    expect(() => check(taking(transformer(3), ['batch', 9, 'frames']), speech)).toThrow(/takes \[batch, 9, frames\]/);
  });

  test('leaves open sizes open', () => {
    const model = cnn(3);
    const [image] = model.graph.inputs;
    const open = { ...image, shape: ['batch', 3, 'height', 'width'] };
    check({ ...model, graph: { ...model.graph, inputs: [open] } }, images);
  });

  test.each([
    ['images of another size', () => check(cnn(3, [3, 16, 8]), images), /'image' takes \[batch, 3, 16, 8\].*3, 8, 8\]/],
    ['other filters', () => check(transformer(3, 16), speech), /takes \[.*16\].*are \[batch, frames, 8\]/],
    ['too few classes', () => check(cnn(2), images), /'logits' gives 2 logits, but the data has 3 classes: 3/],
    ['a vocabulary without the blank', () => check(transformer(2), speech), /gives 2 logits.*CTC blank: 3/],
  ])('refuses %s', (_, attempt, message) => {
    expect(attempt).toThrow(message);
  });
});
