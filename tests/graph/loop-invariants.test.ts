import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../graph/builder.ts';
import { hoistInvariants } from '../../graph/loop-invariants.ts';

test('what does not change from step to step is computed before the loop; draws and outputs stay', () => {
  const outer = new GraphBuilder();
  const kernel = outer.input('kernel', 'float32', [2, 3]);
  const b = outer.subgraph();
  const x = b.input('x', 'float32', [4, 2]);
  const turned = b.op('Transpose', [b.op('Neg', [kernel])]);
  const drawn = 'drawn';
  b.declare(drawn, b.type(kernel));
  b.nodes.push({ name: drawn, op: 'RandomNormalLike', domain: '', inputs: [kernel], outputs: [drawn], attributes: {} });
  const outputs = [b.op('Exp', [kernel]), b.op('Add', [b.op('MatMul', [x, kernel]), b.op('MatMul', [x, drawn])])];
  b.op('MatMul', [x, b.op('Transpose', [turned])]);
  hoistInvariants(outer, b, outputs);
  expect(outer.nodes.map(({ op }) => op)).toEqual(['Neg', 'Transpose', 'Transpose']);
  expect(b.nodes.map(({ op }) => op)).toEqual(['RandomNormalLike', 'Exp', 'MatMul', 'MatMul', 'Add', 'MatMul']);
  expect(outer.shape(turned)).toEqual([3, 2]);
});
