import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { int, type Node } from '../../../graph/ir.ts';
import { decompositionOf } from '../../../graph/operators/registry.ts';
import { shareCommonSubexpressions } from '../../../graph/rewrites/common-subexpressions.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { sumPlacesFirst } from '../../../graph/rewrites/group-norm-gradients.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  shareCommonSubexpressions(b, outputs);
  sumPlacesFirst(b, outputs);
  removeDeadCode(b, outputs);
};

/** Gradients of a normalisation of [batch, 6, ...image], of the values asked for. */
function backward(image: readonly number[], wanted: readonly string[], op = 'GroupNormalization', groups = 3) {
  const b = new GraphBuilder();
  const inputs = [b.input('x', 'float32', ['batch', 6, ...image])];
  for (const name of ['factor', 'shift']) inputs.push(b.input(name, 'float32', [6]));
  const node: Node = { name: 'norm', op, domain: '', inputs, outputs: ['y'], attributes: { num_groups: int(groups) } };
  const y = decompositionOf(op)!.write(b, node, inputs, 21) as string;
  const seed = b.input('dy', 'float32', b.shape(y));
  const gradients = differentiate(b, [...b.nodes], new Map([[y, seed]]), new Set(wanted));
  return { b, outputs: wanted.map((name) => gradients.get(name)!) };
}

/** Nodes over a whole image, moves apart. */
function passes(b: GraphBuilder): number {
  const moves = ['Reshape', 'Shape', 'LayerNormalization'];
  const image = (name: string) =>
    b.shape(name).join().length > 0 && !b.shape(name).slice(1).includes(1) && b.rank(name) > 2;
  return b.nodes.filter(({ op, outputs }) => !moves.includes(op) && image(outputs[0]!)).length;
}

describe('the backward pass of a normalisation over groups', () => {
  test.each([
    ['of images', [4, 5], ['x', 'factor', 'shift'], 'GroupNormalization', 3],
    ['of sequences', [7], ['x', 'factor', 'shift'], 'GroupNormalization', 2],
    ['whose factor is not trained', [4, 5], ['x'], 'GroupNormalization', 3],
    ['whose shift is not trained', [4, 5], ['x', 'factor'], 'GroupNormalization', 1],
    ['over single channels', [4, 5], ['x', 'factor', 'shift'], 'InstanceNormalization', 6],
  ] as const)('%s takes fewer passes and gives the same', async (_, image, wanted, op, groups) => {
    const { b, outputs } = backward(image, wanted, op, groups);
    const before = passes(b);
    const { expected, found } = await rewriteAndRun(b, outputs, rewrite, { batch: 3 });
    expect(passes(b)).toBeLessThanOrEqual(before - 2);
    expect(largestError(found, expected)).toBeLessThan(1e-5);
  });

  test.each([
    ['there are no places', [], ['x', 'factor', 'shift']],
    ['nothing but the factor is trained', [4, 5], ['factor']],
  ] as const)('is left alone where %s', (_, image, wanted) => {
    const { b, outputs } = backward(image, wanted);
    shareCommonSubexpressions(b, outputs);
    const before = b.nodes.map(({ op }) => op);
    sumPlacesFirst(b, outputs);
    expect(b.nodes.map(({ op }) => op)).toEqual(before);
  });
});
