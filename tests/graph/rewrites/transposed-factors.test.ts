import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { type Dim, float, int } from '../../../graph/ir.ts';
import { transposeNarrowFactors } from '../../../graph/rewrites/transposed-factors.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

function product(rows: Dim, columns: number, width: number) {
  const b = new GraphBuilder();
  const inputs = [b.input('a', 'float32', [rows, columns]), b.input('b', 'float32', [rows, width])];
  inputs.push(b.input('c', 'float32', [columns, width]));
  return { b, outputs: [b.op('Gemm', inputs, { transA: int(1), alpha: float(-1) })] };
}

test('the narrower factor of a product over many rows is turned around as a whole', async () => {
  const { b, outputs } = product('batch*frames', 32, 40);
  const { after, expected, found } = await rewriteAndRun(b, outputs, transposeNarrowFactors, { 'batch*frames': 12 });
  expect(after).toEqual(['Transpose', 'Gemm']);
  expect(largestError(found, expected)).toBeLessThan(1e-5);
});

test.each<[string, Dim, number, number]>([
  ['the rows are a mini-batch', 'batch', 32, 40],
  ['it is the wider one', 'batch*frames', 40, 32],
  ['it is small', 'batch*frames', 8, 40],
])('but not where %s', (_, rows, columns, width) => {
  const { b, outputs } = product(rows, columns, width);
  transposeNarrowFactors(b, outputs);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Gemm']);
});
