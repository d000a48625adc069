import { describe, expect, test } from '@jest/globals';
import { ModelError } from '../../errors.ts';
import { bindModel, notesOnBinding } from '../../graph/binding.ts';
import type { Model, Value } from '../../graph/ir.ts';

function model(inputs: Value[], outputs: Value[]): Model {
  return { graph: { name: 'm', inputs, outputs, nodes: [], constants: new Map() }, opset: 21, weights: [] };
}

const image: Value = { name: 'pixels', dtype: 'float32', shape: ['batch', 3, 8, 8] };
const features: Value = { name: 'mel', dtype: 'float32', shape: ['batch', 'frames', 80] };
const lengths: Value = { name: 'mel_lengths', dtype: 'int64', shape: ['batch'] };
const scores: Value = { name: 'scores', dtype: 'float32', shape: ['batch', 5] };
const outputLengths: Value = { name: 'frames_out', dtype: 'int64', shape: ['batch'] };

describe('a model meets a data set', () => {
  test('of images, by type and not by name', () => {
    expect(bindModel(model([image], [scores]), 'classification', 'm.onnx')).toMatchObject({
      objective: 'classification',
      inputs: { pixels: 'image' },
      logits: 'scores',
    });
  });

  test('of speech, with lengths in and out', () => {
    expect(bindModel(model([lengths, features], [outputLengths, scores]), 'transcription', 'm.onnx')).toMatchObject({
      objective: 'transcription',
      inputs: { mel: 'features', mel_lengths: 'lengths' },
      logits: 'scores',
      outputLengths: 'frames_out',
    });
  });

  test('of speech, without any lengths', () => {
    const binding = bindModel(model([features], [scores]), 'transcription', 'm.onnx');
    expect(binding.inputs).toEqual({ mel: 'features' });
    expect(binding.outputLengths).toBeUndefined();
  });
});

test.each<[string, Value, Value, 'classification' | 'transcription', string[]]>([
  [
    'channels last',
    { ...image, shape: ['b', 8, 8, 3] },
    scores,
    'classification',
    ["input 'pixels' takes images with the channels last, by its shape; the data are brought into that order"],
  ],
  [
    'filters first',
    { ...features, shape: ['b', 80, 't'] },
    scores,
    'transcription',
    ["input 'mel' takes the filters before the frames, by its shape; the data are brought into that order"],
  ],
  [
    'frames first',
    { ...features, shape: ['t', 'batch', 80] },
    scores,
    'transcription',
    ["input 'mel' takes the frames before the batch, by its shape; the data are brought into that order"],
  ],
  ['as the data come', features, scores, 'transcription', []],
])('an order of axes is said: %s', (_, input, output, objective, notes) => {
  expect(notesOnBinding(bindModel(model([input], [output]), objective, 'm'))).toEqual(notes);
});

describe('a model that does not fit is refused, naming the file and the mend', () => {
  const refusals: [string, Model, 'classification' | 'transcription', RegExp][] = [
    [
      'another precision',
      model([image], [{ ...scores, dtype: 'float16' }]),
      'classification',
      /^m\.onnx: output 'scores' is float16, and dpfl trains in float32; export the model in float32$/,
    ],
    [
      'a fixed batch',
      model([{ ...image, shape: [1, 3, 8, 8] }], [scores]),
      'classification',
      /^m\.onnx: input 'pixels' has a fixed batch size of 1; export it with a dynamic batch axis$/,
    ],
    [
      'a fixed batch of speech',
      model([{ ...features, shape: [4, 'frames', 80] }, lengths], [scores]),
      'transcription',
      /^m\.onnx: input 'mel' has a fixed batch size of 4/,
    ],
    [
      'integers that are no lengths',
      model([{ name: 'tokens', dtype: 'int64', shape: ['b', 's'] }, features], [scores]),
      'transcription',
      /^m\.onnx: input 'tokens' is int64 \[b, s\], but speech data can only fill lengths \[batch\]/,
    ],
    [
      'two floating-point inputs',
      model([image, features], [scores]),
      'classification',
      /^m\.onnx: has 2 floating-point/,
    ],
    ['no floating-point input', model([lengths], [scores]), 'transcription', /^m\.onnx: has 0 floating-point inputs/],
    [
      'no floating-point output',
      model([image], [outputLengths]),
      'classification',
      /^m\.onnx: has no floating-point output/,
    ],
    [
      'lengths for images',
      model([image, lengths], [scores]),
      'classification',
      /^m\.onnx: input 'mel_lengths' has no counter/,
    ],
    [
      'two integer inputs',
      model([features, lengths, { ...lengths, name: 'speaker' }], [scores]),
      'transcription',
      /^m\.onnx: has 2 integer inputs/,
    ],
  ];

  test.each(refusals)('%s', (_, unfit, objective, message) => {
    expect(() => bindModel(unfit, objective, 'm.onnx')).toThrow(ModelError);
    expect(() => bindModel(unfit, objective, 'm.onnx')).toThrow(message);
  });
});
