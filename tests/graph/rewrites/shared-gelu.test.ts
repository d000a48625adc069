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

test('a Gelu and its gradient compute one error function', async () => {
  const { b, x, y } = gelu('none');
  const dy = b.input('dy', 'float32', ['n', 5]);
  const dx = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  const { before, after, expected, found } = await rewriteAndRun(b, [y, dx], rewrite, { n: 7 });
  expect(before.filter((op) => op === 'Gelu' || op === 'Erf')).toEqual(['Gelu', 'Erf']);
  expect(after.filter((op) => op === 'Gelu' || op === 'Erf')).toEqual(['Erf']);
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

test('a Gelu without a gradient, and the tanh form, stay as they are', () => {
  const alone = gelu('none');
  rewrite(alone.b, [alone.y]);
  expect(alone.b.nodes.map(({ op }) => op)).toEqual(['Gelu']);
  const { b, x, y } = gelu('tanh');
  const dx = differentiate(b, [...b.nodes], new Map([[y, y]]), new Set([x])).get(x)!;
  rewrite(b, [y, dx]);
  expect(b.nodes[0]!.op).toBe('Gelu');
});
