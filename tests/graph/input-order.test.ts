import { describe, expect, test } from '@jest/globals';
import { featuresOrder, imageOrder, inDataOrder, inInputOrder } from '../../graph/input-order.ts';
import type { Dim } from '../../graph/ir.ts';

describe('images', () => {
  test.each<[string, readonly Dim[], readonly number[] | undefined]>([
    ['channels first', ['batch', 3, 32, 32], undefined],
    ['channels last', ['batch', 32, 32, 3], [0, 2, 3, 1]],
    ['gray, channels last', ['n', 28, 28, 1], [0, 2, 3, 1]],
    ['channels last, open sizes', ['n', 'height', 'width', 3], [0, 2, 3, 1]],
    ['both could be channels', ['n', 1, 28, 3], undefined],
    ['all open', ['n', 'a', 'b', 'c'], undefined],
    ['flat', ['n', 784], undefined],
    ['a sequence', ['n', 28, 1], undefined],
  ])('%s', (_, shape, order) => {
    expect(imageOrder(shape)).toEqual(order);
  });
});

describe('features', () => {
  test.each<[string, readonly Dim[], readonly number[] | undefined]>([
    ['as data has them', ['batch', 'frames', 80], undefined],
    ['filters first', ['batch', 80, 'frames'], [0, 2, 1]],
    ['frames first', ['frames', 'batch', 80], [1, 0, 2]],
    ['frames first, in short', ['T', 'N', 80], [1, 0, 2]],
    ['open filters', ['batch', 'frames', 'filters'], undefined],
    ['names that say nothing', ['a', 'c', 80], undefined],
    ['a batch of batches', ['batch', 'batch_size', 80], undefined],
    ['fixed frames', ['batch', 100, 80], undefined],
    ['raw samples', ['batch', 'samples'], undefined],
  ])('%s', (_, shape, order) => {
    expect(featuresOrder(shape)).toEqual(order);
  });
});

test('shapes of data and of inputs are each other’s inverse', () => {
  const order = [0, 2, 3, 1];
  expect(inInputOrder(['n', 3, 8, 9], order)).toEqual(['n', 8, 9, 3]);
  expect(inDataOrder(['n', 8, 9, 3], order)).toEqual(['n', 3, 8, 9]);
  expect(inDataOrder(['n', 3], undefined)).toEqual(['n', 3]);
});
