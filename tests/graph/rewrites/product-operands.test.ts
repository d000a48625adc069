import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { floatAttribute, intAttribute, ints } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { foldIntoProducts } from '../../../graph/rewrites/product-operands.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  foldIntoProducts(b, outputs);
  removeDeadCode(b, outputs);
};

const exchange = (b: GraphBuilder, x: string) => b.op('Transpose', [x], { perm: ints([0, 2, 1]) });
const scale = (b: GraphBuilder, x: string, factor: number) => b.op('Mul', [x, b.scalar(factor)]);

/** Two batches of square matrices. */
function squares() {
  const b = new GraphBuilder();
  return { b, x: b.input('x', 'float32', ['n', 4, 4]), y: b.input('y', 'float32', ['n', 4, 4]) };
}

describe('transposes and scalars are folded into a matrix product', () => {
  test.each([
    ['transposed operands', (b, x, y) => b.op('MatMul', [exchange(b, x), exchange(b, y)]), [true, true, 1]],
    ['a transposed product', (b, x, y) => exchange(b, b.op('MatMul', [x, y])), [true, true, 1]],
    [
      'a transposed product of a transposed operand',
      (b, x, y) => exchange(b, b.op('MatMul', [exchange(b, x), y])),
      [true, false, 1],
    ],
    ['a scaled operand', (b, x, y) => b.op('MatMul', [x, scale(b, y, 3)]), [false, false, 3]],
    [
      'a scaled product of scaled operands',
      (b, x, y) => scale(b, b.op('MatMul', [scale(b, x, 2), scale(b, y, 3)]), 0.5),
      [false, false, 3],
    ],
    ['a scalar on the left', (b, x, y) => b.op('Mul', [b.scalar(2), b.op('MatMul', [x, y])]), [false, false, 2]],
    [
      'a scaled and transposed operand',
      (b, x, y) => b.op('MatMul', [x, scale(b, exchange(b, y), 3)]),
      [false, true, 3],
    ],
  ] as readonly (readonly [
    string,
    (b: GraphBuilder, x: string, y: string) => string,
    readonly [boolean, boolean, number],
  ])[])('%s', async (_, write, [left, right, alpha]) => {
    const { b, x, y } = squares();
    const output = write(b, x, y);
    const { after, expected, found } = await rewriteAndRun(b, [output], rewrite, { n: 2 });
    expect(after).toEqual(['FusedMatMul']);
    const [product] = b.nodes;
    expect([intAttribute(product!, 'transA', 0), intAttribute(product!, 'transB', 0)]).toEqual(
      [left, right].map(Number),
    );
    expect(floatAttribute(product!, 'alpha', 1)).toBeCloseTo(alpha, 6);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
  });

  test('one that broadcasts a matrix over a batch, whichever side it is on', async () => {
    const b = new GraphBuilder();
    const [x, w] = [b.input('x', 'float32', ['n', 3, 5]), b.input('w', 'float32', [5, 2])];
    const output = exchange(b, b.op('MatMul', [x, w]));
    const { after, expected, found } = await rewriteAndRun(b, [output], rewrite, { n: 2 });
    expect(after).toEqual(['FusedMatMul']);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
  });

  test.each([
    [
      'a transpose of other axes',
      (b, x, y) =>
        b.op('MatMul', [
          b.op('Transpose', [x], { perm: ints([1, 0, 2]) }),
          b.op('Transpose', [y], { perm: ints([2, 1, 0]) }),
        ]),
    ],
    [
      'a scaled operand that something else reads',
      (b, x, y) => {
        const scaled = scale(b, x, 2);
        return b.op('Add', [b.op('MatMul', [scaled, y]), scaled]);
      },
    ],
    [
      'a product that something else reads',
      (b, x, y) => {
        const product = b.op('MatMul', [x, y]);
        return b.op('Add', [scale(b, product, 2), product]);
      },
    ],
    ['a factor that is no scalar', (b, x, y) => b.op('Mul', [b.op('MatMul', [x, y]), b.input('f', 'float32', [4])])],
    [
      'a factor known only at run time',
      (b, x, y) => b.op('Mul', [b.op('MatMul', [x, y]), b.input('f', 'float32', [])]),
    ],
  ] as readonly (readonly [string, (b: GraphBuilder, x: string, y: string) => string])[])(
    'but not %s',
    async (_, write) => {
      const { b, x, y } = squares();
      const output = write(b, x, y);
      const before = [...b.nodes];
      rewrite(b, [output]);
      expect(b.nodes).toEqual(before);
    },
  );

  test('and not a product that is an output', () => {
    const { b, x, y } = squares();
    const product = b.op('MatMul', [x, y]);
    const outputs = [product, scale(b, product, 2)];
    const before = [...b.nodes];
    rewrite(b, outputs);
    expect(b.nodes).toEqual(before);
  });
});
