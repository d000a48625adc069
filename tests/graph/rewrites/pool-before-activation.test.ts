import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { type Attributes, float, ints } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { poolBeforeActivation } from '../../../graph/rewrites/pool-before-activation.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { largestError, rewriteAndRun, runGraph } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  poolBeforeActivation(b, outputs);
  removeDeadCode(b, outputs);
};

const window = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };

function pooled(activation: string, attributes: Attributes = {}, pool: Attributes = window) {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 2, 6, 6]);
  const activated = b.op(activation, [x], attributes);
  const y = b.op('MaxPool', [activated], pool);
  return { b, x, activated, y };
}

describe('max-pooling before the activation', () => {
  test.each([
    ['Relu', {}],
    ['LeakyRelu', { alpha: float(0.2) }],
    ['Sigmoid', {}],
    ['Tanh', {}],
    ['Elu', { alpha: float(0.7) }],
    ['HardSigmoid', {}],
  ] as const)('gives the values and the gradient of pooling after %s', async (op, attributes) => {
    const { b, y } = pooled(op, attributes);
    const { before, after, expected, found } = await rewriteAndRun(b, [y], rewrite, { n: 3 });
    expect(before).toEqual([op, 'MaxPool']);
    expect(after).toEqual(['MaxPool', op]);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
    const gradients = await Promise.all([false, true].map((first) => gradientOf(op, attributes, first)));
    expect(largestError([gradients[1]!], [gradients[0]!])).toBeLessThan(1e-6);
  });

  test('holds with padding and overlapping windows', async () => {
    const padded = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) };
    const { b, y } = pooled('Relu', {}, padded);
    const { after, expected, found } = await rewriteAndRun(b, [y], rewrite, { n: 2 });
    expect(after).toEqual(['MaxPool', 'Relu']);
    expect(found).toEqual(expected);
  });

  test.each([
    ['an activation that falls somewhere', () => pooled('Gelu')],
    ['a slope below zero', () => pooled('LeakyRelu', { alpha: float(-0.1) })],
    [
      'an average',
      () => {
        const { b, activated } = pooled('Relu');
        b.nodes.pop();
        return { b, y: b.op('AveragePool', [activated], window) };
      },
    ],
    [
      'an activation that is read elsewhere',
      () => {
        const { b, y, activated } = pooled('Relu');
        return { b, y: b.op('Add', [y, b.op('ReduceMax', [activated])]) };
      },
    ],
  ])('is not done for %s', (_, write) => {
    const { b, y } = write();
    const before = [...b.nodes];
    poolBeforeActivation(b, [y]);
    expect(b.nodes).toEqual(before);
  });

  test('is not done for an activation that is an output', () => {
    const { b, y, activated } = pooled('Relu');
    const before = [...b.nodes];
    poolBeforeActivation(b, [y, activated]);
    expect(b.nodes).toEqual(before);
  });
});

async function gradientOf(op: string, attributes: Attributes, first: boolean): Promise<number[]> {
  const { b, x, y } = pooled(op, attributes);
  if (first) poolBeforeActivation(b, [y]);
  const dy = b.input('dy', 'float32', ['n', 2, 3, 3]);
  const gradient = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  return (await runGraph(b, [gradient], { n: 3 }))[0]!;
}
