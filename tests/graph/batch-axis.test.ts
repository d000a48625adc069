import { expect, test } from '@jest/globals';
import { reshapedPlace } from '../../graph/batch-axis.ts';
import type { Dim } from '../../graph/ir.ts';

type Row = [what: string, shape: Dim[], axis: number, outer: Dim, result: Dim[], size: number, place: [number, Dim]];

test.each<Row>([
  ['flattened images', ['batch', 8, 4, 4], 0, 1, [1, 128], 1, [0, 1]],
  ['heads, time first', [7, 'batch', 16], 1, 1, [7, 2, 8], 1, [1, 1]],
  ['heads put together again', [7, '2*batch', 8], 1, 1, [7, 16], 1, [0, 7]],
  ['rows of a product, back in time', ['7*batch', 16], 0, 7, [7, 1, 16], 1, [1, 1]],
  ['an axis of size 1 that was there', ['batch', 1, 28], 0, 1, [1, 28], 1, [0, 1]],
  ['windows beside examples', ['batch', 2, 2, 4, 4, 8], 0, 1, [4, 16, 8], 1, [0, 1]],
  ['windows apart from examples', ['4*batch', 16, 8], 0, 1, [1, 2, 2, 4, 4, 8], 1, [0, 1]],
  ['a batch of its own size among like ones', [4, 'batch', 4], 1, 1, [4, 4, 2, 2], 4, [1, 1]],
  ['a larger batch with time', ['batch', 7, 16], 0, 1, [28, 16], 4, [0, 1]],
  ['open frames', ['batch', 'frames', 6], 0, 1, [1, 'frames', 2, 3], 1, [0, 1]],
])('%s: the batch goes where the order of elements puts it', (_, shape, axis, outer, result, size, place) => {
  expect(reshapedPlace(shape, { axis, outer }, result, size)).toEqual({ axis: place[0], outer: place[1] });
});

test('examples that would not stay apart have no place', () => {
  // [2, batch] of four as [8/3 …]: no axis holds whole examples.
  expect(reshapedPlace([2, 'batch'], { axis: 1, outer: 1 }, [3], 4)).toBeUndefined();
});
