import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import type { Dim } from '../../../graph/ir.ts';
import { scaleAndShiftAtOnce } from '../../../graph/rewrites/scale-and-shift.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

function affine(image: readonly Dim[], factor: readonly Dim[], shift: readonly Dim[] = factor) {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', image);
  const product = b.op('Mul', [x, b.input('factor', 'float32', factor)]);
  const y = b.op('Add', [product, b.input('shift', 'float32', shift)]);
  return { b, product, y };
}

describe('a factor and a shift take one pass', () => {
  test.each<[string, readonly Dim[], readonly Dim[]]>([
    ['per channel of an image', ['n', 3, 4, 5], [3, 1, 1]],
    ['per channel, with an axis for the batch', ['n', 3, 4, 5], [1, 3, 1, 1]],
    ['per channel of a sequence', ['n', 4, 16], [4, 1]],
    ['per example and channel', ['n', 3, 4, 5], ['n', 3, 1, 1]],
    ['per example and group', ['n', 2, 40], ['n', 2, 1]],
  ])('%s', async (_, image, factor) => {
    const { b, y } = affine(image, factor);
    const shape = b.shape(y);
    const { after, expected, found } = await rewriteAndRun(b, [y], scaleAndShiftAtOnce, { n: 3 });
    expect(after).toContain('BatchNormalization');
    expect(after).not.toContain('Add');
    expect(b.shape(y)).toEqual(shape);
    expect(largestError(found, expected)).toBe(0);
  });

  test('whichever operand comes first', async () => {
    const b = new GraphBuilder();
    const [factor, shift] = [b.input('factor', 'float32', [3, 1, 1]), b.input('shift', 'float32', [3, 1, 1])];
    const y = b.op('Add', [shift, b.op('Mul', [factor, b.input('x', 'float32', [2, 3, 4, 5])])]);
    const { after, expected, found } = await rewriteAndRun(b, [y], scaleAndShiftAtOnce);
    expect(after).toContain('BatchNormalization');
    expect(largestError(found, expected)).toBe(0);
  });
});

describe('two passes stay', () => {
  test.each<[string, readonly Dim[], readonly Dim[], readonly Dim[]]>([
    ['for rows', ['n', 30], [30], [30]],
    ['for few places', ['n', 30, 3, 5], [30, 1, 1], [30, 1, 1]],
    ['for a factor per place', ['n', 3, 20], [3, 20], [3, 20]],
    ['for a shift of another kind', ['n', 3, 20], [3, 1], ['n', 3, 1]],
    ['for a value that grows on the way', [1, 3, 20], ['n', 3, 1], ['n', 3, 1]],
    ['for places of unknown number', ['n', 3, 'length'], [3, 1], [3, 1]],
  ])('%s', (_, image, factor, shift) => {
    const { b, y } = affine(image, factor, shift);
    scaleAndShiftAtOnce(b, [y]);
    expect(b.nodes.map(({ op }) => op)).toEqual(['Mul', 'Add']);
  });

  test('for whole numbers', () => {
    const b = new GraphBuilder();
    const [x, factor] = [b.input('x', 'int64', [2, 3, 20]), b.input('factor', 'int64', [3, 1])];
    const y = b.op('Add', [b.op('Mul', [x, factor]), factor]);
    scaleAndShiftAtOnce(b, [y]);
    expect(b.nodes.map(({ op }) => op)).toEqual(['Mul', 'Add']);
  });

  test('where something else reads the product', () => {
    const { b, product, y } = affine(['n', 3, 4, 5], [3, 1, 1]);
    scaleAndShiftAtOnce(b, [y, product]);
    expect(b.nodes.map(({ op }) => op)).toEqual(['Mul', 'Add']);
  });
});
