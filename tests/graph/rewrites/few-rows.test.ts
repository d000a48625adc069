import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { type Dim, float, int } from '../../../graph/ir.ts';
import { turnProductsOfFewRows } from '../../../graph/rewrites/few-rows.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

function product(rows: Dim, height: number, width: number, summand?: Dim[]) {
  const b = new GraphBuilder();
  const inputs = [b.input('rows', 'float32', [rows, width]), b.input('weight', 'float32', [height, width])];
  if (summand) inputs.push(b.input('summand', 'float32', summand));
  return { b, outputs: [b.op('Gemm', inputs, { transB: int(1), alpha: float(-0.5) })] };
}

test.each<[string, Dim[] | undefined, string[]]>([
  ['alone', undefined, ['Gemm', 'Transpose']],
  ['with a bias', [512], ['Gemm', 'Transpose', 'Add']],
  ['with a matrix', ['batch', 512], ['Gemm', 'Transpose', 'Add']],
])('a product of few rows with a wide weight, %s, is turned around', async (_, summand, operators) => {
  const { b, outputs } = product('batch', 512, 256, summand);
  const { after, expected, found } = await rewriteAndRun(b, outputs, turnProductsOfFewRows(10), { batch: 7 });
  expect(after).toEqual(operators);
  expect(largestError(found, expected)).toBeLessThan(1e-5);
});

test.each<[string, Dim, number, number]>([
  ['the rows are not a mini-batch', 'visits', 512, 10],
  ['the weight is small', 'batch', 100, 10],
  ['there is one row', 'batch', 512, 1],
  ['there are many', 'batch', 512, 65],
])('but not where %s', (_, rows, height, batchSize) => {
  const { b, outputs } = product(rows, height, 256);
  turnProductsOfFewRows(batchSize)(b, outputs);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Gemm']);
});
