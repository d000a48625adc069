import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { text } from '../../../graph/ir.ts';
import { shareCommonSubexpressions } from '../../../graph/rewrites/common-subexpressions.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { shareGelu } from '../../../graph/rewrites/shared-gelu.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  shareGelu(b, outputs);
  shareCommonSubexpressions(b, outputs);
};

function gelu(approximate: string) {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 5]);
  return { b, x, y: b.op('Gelu', [x], { approximate: text(approximate) }) };
}

test.each([
  ['none', 'Erf'],
  ['tanh', 'Tanh'],
])('a Gelu (approximate: %s) and its gradient compute one %s', async (approximate, curve) => {
  const { b, x, y } = gelu(approximate);
  const dy = b.input('dy', 'float32', ['n', 5]);
  const dx = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  const { before, after, expected, found } = await rewriteAndRun(b, [y, dx], rewrite, { n: 7 });
  expect(before.filter((op) => op === 'Gelu' || op === curve)).toEqual(['Gelu', curve]);
  expect(after.filter((op) => op === 'Gelu' || op === curve)).toEqual([curve]);
  expect(largestError(found, expected)).toBeLessThan(1e-6);
});

test('the slope is computed before whatever reads the Gelu', () => {
  const { b, x, y } = gelu('none');
  const dy = b.input('dy', 'float32', ['n', 5]);
  const dx = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  rewrite(b, [y, dx]);
  const writer = (value: string) => b.nodes.find(({ outputs }) => outputs.includes(value))!;
  const slope = writer(dx).inputs.find((input) => input !== 'dy')!;
  const shape = writer(writer(y).inputs[1]!);
  expect({ op: shape.op, of: shape.inputs }).toEqual({ op: 'Shape', of: [slope] });
  expect(b.nodes.indexOf(writer(slope))).toBeLessThan(b.nodes.indexOf(writer(y)));
});

test.each(['none', 'tanh'])('a Gelu (approximate: %s) without a gradient stays as it is', (approximate) => {
  const { b, y } = gelu(approximate);
  rewrite(b, [y]);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Gelu']);
});

test('two Gelus of one value, in different forms, each share with their own gradient', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 5]);
  const y = b.op(
    'Add',
    ['none', 'tanh'].map((approximate) => b.op('Gelu', [x], { approximate: text(approximate) })),
  );
  const dy = b.input('dy', 'float32', ['n', 5]);
  const dx = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  const { after, expected, found } = await rewriteAndRun(b, [y, dx], rewrite, { n: 7 });
  expect(after.filter((op) => ['Gelu', 'Erf', 'Tanh'].includes(op)).sort()).toEqual(['Erf', 'Tanh']);
  expect(largestError(found, expected)).toBeLessThan(1e-6);
});
