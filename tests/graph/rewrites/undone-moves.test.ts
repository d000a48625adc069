import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { int, ints } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { removeUndoneMoves } from '../../../graph/rewrites/undone-moves.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  removeUndoneMoves(b, outputs);
  removeDeadCode(b, outputs);
};

/** What is left of some moves between two other operators, and that the numbers are the same. */
async function left(moves: (b: GraphBuilder, x: string) => string, shape: (number | string)[] = [2, 3, 4]) {
  const b = new GraphBuilder();
  const x = b.op('Neg', [b.input('x', 'float32', shape)]);
  const outputs = [b.op('Exp', [moves(b, x)])];
  const { after, expected, found } = await rewriteAndRun(b, outputs, rewrite, { batch: 2 });
  expect(largestError(found, expected)).toBe(0);
  return after.filter((op) => op !== 'Neg' && op !== 'Exp');
}

const turn = (b: GraphBuilder, x: string, ...perm: number[]) => b.op('Transpose', [x], { perm: ints(perm) });

describe('moves that undo each other', () => {
  test.each<[string, (b: GraphBuilder, x: string) => string, string[]]>([
    ['two transposes', (b, x) => turn(b, turn(b, x, 1, 2, 0), 2, 0, 1), []],
    ['two that move something together', (b, x) => turn(b, turn(b, x, 1, 2, 0), 1, 2, 0), ['Transpose', 'Transpose']],
    ['a reshape there and back', (b, x) => b.reshape(b.reshape(x, [6, 4]), [2, 3, 4]), []],
    ['a reshape of a reshape', (b, x) => b.reshape(b.reshape(x, [6, 4]), [8, 3]), ['Reshape']],
    ['a reshape to the same shape', (b, x) => b.reshape(x, [2, 3, 4]), []],
    [
      'transposes with reshapes between them',
      (b, x) => {
        const rows = turn(b, b.reshape(x, [6, 4]), 1, 0);
        return turn(b, b.reshape(b.reshape(rows, [4, 2, 3]), [4, 6]), 1, 0);
      },
      ['Reshape'],
    ],
    [
      'a size copied from the value before',
      (b, x) => b.reshape(b.reshape(x, [6, 4]), [0, 2, 2]),
      ['Reshape', 'Reshape'],
    ],
  ])('%s', async (_, moves, expected) => {
    expect(await left(moves)).toEqual(expected);
  });

  /** Cut into a part of 1 and one of 2 along axis 1, put together along `along`, and cut again. */
  const splitAgain =
    (again: readonly number[], along: number, then = 1) =>
    (b: GraphBuilder, x: string) => {
      const split = (from: string, sizes: readonly number[], axis: number) =>
        b.node('Split', [from, b.axes(sizes)], { axis: int(axis) }, { outputs: sizes.length });
      const joined = b.op('Concat', [...split(x, [1, 2], 1)].reverse(), { axis: int(along) });
      const [first, second] = split(joined, again, then);
      return b.op('Max', [b.op('ReduceMax', [first!]), b.op('ReduceMin', [second!])]);
    };

  test.each<[string, (b: GraphBuilder, x: string) => string, boolean]>([
    ['parts that were concatenated', splitAgain([2, 1], 1), true],
    ['the same, the axis counted from the end', splitAgain([2, 1], -2), true],
    ['other parts', splitAgain([1, 2], 1), false],
    ['parts along another axis', splitAgain([2, 2], 1, 2), false],
  ])('split again: %s', async (_, moves, undone) => {
    const ops = await left(moves);
    expect(ops.includes('Concat')).toBe(!undone);
    expect(ops.filter((op) => op === 'Split')).toHaveLength(undone ? 1 : 2);
  });

  test('a shape with symbolic sizes may change them', async () => {
    expect(await left((b, x) => b.reshape(x, [-1, 3]), ['batch', 3])).toEqual(['Reshape']);
  });

  test('an output keeps its name', async () => {
    const b = new GraphBuilder();
    const outputs = [b.reshape(b.op('Neg', [b.input('x', 'float32', [2, 3])]), [2, 3])];
    const { after, expected, found } = await rewriteAndRun(b, outputs, rewrite);
    expect(after).toEqual(['Neg', 'Reshape']);
    expect(largestError(found, expected)).toBe(0);
  });

  test('what a loop reads goes by the name that is left', () => {
    const b = new GraphBuilder();
    const x = b.op('Neg', [b.input('x', 'float32', [2, 3])]);
    const same = b.reshape(x, [2, 3]);
    const body = b.subgraph();
    body.input('i', 'int64', []);
    const go = body.input('go', 'bool', []);
    const given = [body.op('Identity', [go]), body.op('Exp', [same])];
    const value = body.build('body', given);
    b.control('Loop', [b.index(2), ''], { body: { kind: 'graph', value } }, [
      { name: 'y', dtype: 'float32', shape: [2, 2, 3] },
    ]);
    removeUndoneMoves(b, ['y']);
    const loop = b.nodes.at(-1)!;
    const inner = loop.attributes.body;
    expect(inner?.kind === 'graph' && inner.value.nodes.at(-1)!.inputs).toEqual([x]);
  });
});
