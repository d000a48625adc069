import { expect, test } from '@jest/globals';
import { matches, nearNames } from '../../params/layer-patterns.ts';

test.each([
  ['fc.weight', 'fc.weight', true],
  ['fc.weight', 'fc_weight', false],
  ['fc', 'fc.weight', false],
  ['block?.w1.*', 'block1.w1.weight', true],
  ['block?.w1.*', 'block12.w1.weight', false],
  ['*norm*', '/encoder/layers.0/norm1/Mul', true],
  ['onnx::MatMul_(5)[7]', 'onnx::MatMul_(5)[7]', true],
  ['*', '', true],
])('%s on %s: %s', (pattern, name, expected) => {
  expect(matches(pattern, name)).toBe(expected);
});

test('near names: misspelled ones, and longer ones that hold the words', () => {
  const names = ['conv1.weight', 'conv2.weight', 'dense.weight', 'output.bias', 'mask'];
  expect(nearNames('dens.weigth', names)[0]).toBe('dense.weight');
  expect(nearNames('output', names)[0]).toBe('output.bias');
  expect(nearNames('Mask*x', names)[0]).toBe('mask');
});
