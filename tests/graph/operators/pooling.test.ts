import { describe, expect, test } from '@jest/globals';
import { ModelError } from '../../../errors.ts';
import { GraphBuilder } from '../../../graph/builder.ts';
import { type Attributes, int, ints } from '../../../graph/ir.ts';
import { describeGradients, gradientsOf } from '../../support/finite-differences.ts';
import { real } from '../../support/gradient-case.ts';
import { poolingCases } from './cases/pooling.ts';

describeGradients('pooling', poolingCases);

/** With a cotangent of one for every window. */
async function gradientOfMaxPool(image: readonly number[], dims: readonly number[], attributes: Attributes) {
  const input = real(dims, { values: image });
  const [gradient] = await gradientsOf({ title: 'ties', op: 'MaxPool', inputs: [input], attributes }, () => 1);
  return gradient;
}

describe('equal maxima share the gradient of a window', () => {
  test('in windows that tile the image', async () => {
    const image = [5, 5, 1, 0, 5, 0, 0, 0];
    const attributes = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
    const third = Math.fround(1 / 3);
    expect(await gradientOfMaxPool(image, [1, 1, 2, 4], attributes)).toEqual([third, third, 1, 0, third, 0, 0, 0]);
  });

  test('in overlapping windows', async () => {
    const attributes = { kernel_shape: ints([2]), strides: ints([1]) };
    expect(await gradientOfMaxPool([2, 2, 2, 1], [1, 1, 4], attributes)).toEqual([0.5, 1, 1.5, 0]);
  });

  test('but padding never wins, even over negative values', async () => {
    const attributes = { kernel_shape: ints([3]), strides: ints([3]), pads: ints([1, 1]) };
    expect(await gradientOfMaxPool([-7, -9, -9, -8], [1, 1, 4], attributes)).toEqual([1, 0, 0, 1]);
  });
});

test('a window that would start in the padding is refused', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 1, 5]);
  const attributes = { kernel_shape: ints([2]), strides: ints([2]), pads: ints([1, 1]), ceil_mode: int(1) };
  expect(() => b.op('MaxPool', [x], attributes, { name: 'pool1' })).toThrow(ModelError);
  expect(() => b.op('MaxPool', [x], attributes, { name: 'pool1' })).toThrow(/'pool1'.*ceil_mode/);
});
