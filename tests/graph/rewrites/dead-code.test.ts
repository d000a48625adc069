import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { int } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { rewriteAndRun } from '../../support/run-graph.ts';

test('leaves out what no output needs, and its constants', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  b.op('Exp', [b.op('Add', [x, b.scalar(5)])]);
  const kept = b.op('Add', [x, b.scalar(1)]);
  const { before, after, expected, found } = await rewriteAndRun(b, [kept], removeDeadCode);
  expect(before).toEqual(['Add', 'Exp', 'Add']);
  expect(after).toEqual(['Add']);
  expect(found).toEqual(expected);
  const constants = [...b.build('g', [kept]).constants.values()];
  expect(constants.map(({ data }) => Array.from(data as Float32Array))).toEqual([[1]]);
});

test('keeps a node of which any output is needed', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [4]);
  const halves = b.node('Split', [x], { num_outputs: int(2) }, { outputs: 2 });
  removeDeadCode(b, [halves[1]!]);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Split']);
});

test('keeps what only a subgraph reads', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  const outside = b.op('Exp', [x]);
  const body = b.subgraph();
  body.input('step', 'int64', []);
  const go = body.input('go', 'bool', []);
  const state = body.input('state', 'float32', [2]);
  const outputs = [body.op('Identity', [go]), body.op('Mul', [state, outside])];
  const loop = b.control('Loop', [b.index(2), '', x], { body: { kind: 'graph', value: body.build('body', outputs) } }, [
    { name: 'y', dtype: 'float32', shape: [2] },
  ]);
  removeDeadCode(b, loop);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Exp', 'Loop']);
});
