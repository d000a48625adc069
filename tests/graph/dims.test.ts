import { describe, expect, test } from '@jest/globals';
import {
  addDims,
  cancelProduct,
  floorDivideDims,
  multiplyDims,
  productOfDims,
  subtractDims,
} from '../../graph/dims.ts';

describe('arithmetic on dimensions', () => {
  test('is plain arithmetic on numbers', () => {
    expect([addDims(3, 4), subtractDims(3, 4), floorDivideDims(7, 2), multiplyDims(3, 4)]).toEqual([7, -1, 3, 12]);
  });

  test('keeps what adding 0 or dividing by 1 does not change', () => {
    expect([
      addDims('n', 0),
      addDims(0, 'n'),
      subtractDims('n', 0),
      floorDivideDims('n', 1),
      multiplyDims('n', 1),
    ]).toEqual(['n', 'n', 'n', 'n', 'n']);
  });

  test('cancels equal expressions', () => {
    expect([
      subtractDims('n', 'n'),
      floorDivideDims('n', 'n'),
      floorDivideDims('6*n', 3),
      floorDivideDims('n*t', 't'),
    ]).toEqual([0, 1, '2*n', 'n']);
  });

  test('parenthesises sums, so that they stay one factor of a product', () => {
    const sum = addDims('n', 1);
    expect(sum).toBe('(n+1)');
    expect(multiplyDims(sum, 'm')).toBe('(n+1)*m');
    expect(floorDivideDims(multiplyDims(sum, 'm'), sum)).toBe('m');
    const product = multiplyDims(addDims('a*b', 1), 2);
    expect(floorDivideDims(product, 2)).toBe('(a*b+1)');
  });

  test('does not divide what does not divide', () => {
    expect(floorDivideDims('3*n', 2)).toBe('floor(3*n/2)');
    expect(floorDivideDims('n', 'm')).toBe('floor(n/m)');
  });
});

describe('products of dimensions', () => {
  test('have one spelling, whatever the order', () => {
    expect(productOfDims(['t', 2, 'n', 3])).toBe('6*n*t');
    expect(productOfDims([productOfDims(['n', 3]), productOfDims([2, 't'])])).toBe('6*n*t');
    expect(productOfDims([])).toBe(1);
    expect(productOfDims([0, 'n'])).toBe(0);
  });

  test('cancel factor by factor', () => {
    expect(cancelProduct(['n', 't', 12], [4, 't'])).toBe('3*n');
    expect(cancelProduct(['n', 'n'], ['n'])).toBe('n');
    expect(cancelProduct(['n', 4], ['n', 4])).toBe(1);
    expect(cancelProduct(['n'], ['t'])).toBeUndefined();
    expect(cancelProduct(['n', 3], [2])).toBeUndefined();
  });
});
