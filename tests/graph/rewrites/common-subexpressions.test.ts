import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { float, int } from '../../../graph/ir.ts';
import { shareCommonSubexpressions } from '../../../graph/rewrites/common-subexpressions.ts';
import { rewriteAndRun } from '../../support/run-graph.ts';

function operators(b: GraphBuilder): string[] {
  return b.nodes.map(({ op }) => op);
}

describe('common subexpressions', () => {
  test('are computed once, whole chains of them too', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 3]);
    const chain = () => b.op('Tanh', [b.op('Exp', [x])]);
    const y = b.op('Mul', [chain(), chain()]);
    const { before, after, expected, found } = await rewriteAndRun(b, [y], shareCommonSubexpressions, { n: 2 });
    expect(before).toEqual(['Exp', 'Tanh', 'Exp', 'Tanh', 'Mul']);
    expect(after).toEqual(['Exp', 'Tanh', 'Mul']);
    expect(found).toEqual(expected);
  });

  test('have the same attributes, in any order, and the same constants', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [3, 3]);
    b.op('HardSigmoid', [x], { alpha: float(0.5), beta: float(0.1) });
    b.op('HardSigmoid', [x], { beta: float(0.1), alpha: float(0.5) });
    b.op('HardSigmoid', [x], { alpha: float(0.5), beta: float(0.2) });
    b.op('HardSigmoid', [x], { alpha: float(0), beta: float(0.1) });
    b.op('HardSigmoid', [x], { alpha: float(-0), beta: float(0.1) });
    b.op('Max', [x, b.scalar(Number.POSITIVE_INFINITY)]);
    b.op('Max', [x, b.scalar(Number.NEGATIVE_INFINITY)]);
    shareCommonSubexpressions(b, []);
    expect(operators(b)).toEqual(['HardSigmoid', 'HardSigmoid', 'HardSigmoid', 'HardSigmoid', 'Max', 'Max']);
  });

  test('are not random numbers', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [3]);
    b.op('Dropout', [x]);
    b.op('Dropout', [x]);
    shareCommonSubexpressions(b, []);
    expect(operators(b)).toEqual(['Dropout', 'Dropout']);
  });

  test('keep the node that gives an output its name', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [3]);
    const outputs = ['first', 'second'].map((name) => b.op('Exp', [x], {}, { outputNames: [name] }));
    const { after, expected, found } = await rewriteAndRun(b, outputs, shareCommonSubexpressions);
    expect(after).toEqual(['Exp', 'Exp']);
    expect(found).toEqual(expected);
  });

  test('are found outside a loop, and renamed inside it', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2]);
    const written = [b.op('Exp', [x]), b.op('Exp', [x])];
    const body = b.subgraph();
    body.input('step', 'int64', []);
    const go = body.input('go', 'bool', []);
    const state = body.input('state', 'float32', [2]);
    // Reads the second of two equal outer nodes, and writes a third.
    const sum = body.op('Add', [state, body.op('Mul', [written[1]!, body.op('Exp', [x])])]);
    const outputs = [body.op('Identity', [go]), sum];
    shareCommonSubexpressions(body, outputs);
    expect(operators(body)).toEqual(['Mul', 'Add', 'Identity']);
    const always = b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
    const loop = b.control(
      'Loop',
      [b.index(2), always, x],
      { body: { kind: 'graph', value: body.build('body', outputs) } },
      [{ name: 'y', dtype: 'float32', shape: [2] }],
    );
    const { after, expected, found } = await rewriteAndRun(b, loop, shareCommonSubexpressions);
    expect(after).toEqual(['Exp', 'Loop']);
    expect(found).toEqual(expected);
  });

  test('may have several outputs', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [4]);
    b.node('Split', [x], { num_outputs: int(2) }, { outputs: 2 });
    b.node('Split', [x], { num_outputs: int(2) }, { outputs: 2 });
    shareCommonSubexpressions(b, []);
    expect(operators(b)).toEqual(['Split']);
  });
});
