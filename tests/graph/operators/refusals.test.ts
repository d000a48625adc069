import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { type Attributes, float32Tensor, int, int64Tensor, text } from '../../../graph/ir.ts';

/** Variants of operators whose gradient would be wrong are refused by the node's name. */
function differentiated(op: string, dims: number[], others: (b: GraphBuilder) => string[], attributes: Attributes) {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', dims);
  const y = b.op(op, [x, ...others(b)], attributes, { name: 'mine' });
  const dy = b.input('dy', 'float32', b.shape(y));
  return differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x]));
}

const doubled = (b: GraphBuilder) => ['', b.constant(float32Tensor([4], [1, 1, 2, 2]))];
const index = (b: GraphBuilder) => b.constant(int64Tensor([2, 1], [0, 1]));

test.each<[string, number[], (b: GraphBuilder) => string[], Attributes, RegExp]>([
  [
    'ScatterND',
    [2, 3],
    (b) => [index(b), b.input('u', 'float32', [2, 3])],
    { reduction: text('max') },
    /'mine' \(ScatterND\): reduction 'max'/,
  ],
  ['Resize', [1, 1, 2, 2], doubled, { mode: text('cubic') }, /'mine' \(Resize\): mode 'cubic'/],
  ['Resize', [1, 1, 2, 2], doubled, { mode: text('linear'), antialias: int(1) }, /'mine' \(Resize\): antialias/],
  ['Einsum', [2, 2], () => [], { equation: text('ijk->i') }, /'mine' \(Einsum\): operand 0 of 'ijk->i' has rank 2/],
])('%s %#', (op, dims, others, attributes, message) => {
  expect(() => differentiated(op, dims, others, attributes)).toThrow(message);
});
