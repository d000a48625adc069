import { describe, expect, test } from '@jest/globals';
import { featuresOrder, imageOrder, inDataOrder, inInputOrder } from '../../graph/input-order.ts';
import type { Dim } from '../../graph/ir.ts';

const channelsLast = [0, 2, 3, 1];

describe('images, by their shape alone', () => {
  test.each<[string, readonly Dim[], readonly number[] | undefined]>([
    ['channels first', ['batch', 3, 32, 32], undefined],
    ['channels last', ['batch', 32, 32, 3], channelsLast],
    ['gray, channels last', ['n', 28, 28, 1], channelsLast],
    ['channels last, open sizes', ['n', 'height', 'width', 3], channelsLast],
    ['both could be channels', ['n', 1, 28, 3], undefined],
    ['many channels of few pixels', ['n', 64, 4, 4], undefined],
    ['many channels of 3×3 pixels', ['n', 64, 3, 3], undefined],
    ['all open', ['n', 'a', 'b', 'c'], undefined],
    ['flat', ['n', 784], undefined],
    ['a sequence', ['n', 28, 1], undefined],
  ])('%s', (_, shape, order) => {
    expect(imageOrder(shape)).toEqual(order);
  });
});

describe('images, by those of the data', () => {
  test.each<[string, readonly Dim[], readonly number[], readonly number[] | undefined]>([
    ['as they are', ['n', 64, 32, 3], [64, 32, 3], undefined],
    ['channels last', ['n', 4, 4, 64], [64, 4, 4], channelsLast],
    ['open sizes', ['n', 'a', 'b', 'c'], [3, 32, 32], undefined],
    ['open sizes, channels last', ['n', 'a', 'b', 3], [3, 32, 32], channelsLast],
    ['of neither order', ['n', 28, 28, 3], [3, 32, 32], undefined],
  ])('%s', (_, shape, image, order) => {
    expect(imageOrder(shape, image)).toEqual(order);
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
