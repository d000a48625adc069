import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { joinScalarFactors } from '../../../graph/rewrites/scalar-factors.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

describe('scalar factors of one tensor', () => {
  test.each([
    ['Mul', 'Mul', ['Mul', 'Mul']],
    ['Div', 'Mul', ['Div', 'Mul']],
    ['Mul', 'Div', ['Div', 'Mul']],
    ['Div', 'Div', ['Mul', 'Div']],
  ] as const)('%s, then %s: joined first, and one pass over the tensor', async (first, second, operators) => {
    const b = new GraphBuilder();
    const [x, s, t] = [b.input('x', 'float32', [3, 2]), b.input('s', 'float32', []), b.input('t', 'float32', [])];
    const outputs = [b.op(second, [b.op(first, [x, s]), t])];
    const { after, expected, found } = await rewriteAndRun(b, outputs, (builder, names) => {
      joinScalarFactors(builder, names);
      removeDeadCode(builder, names);
    });
    expect(after).toEqual(operators);
    expect(b.nodes.filter(({ outputs: [value] }) => b.rank(value!) === 2)).toHaveLength(1);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
  });

  test('a value that others read, integers and vectors are left alone', async () => {
    const b = new GraphBuilder();
    const [x, s, t] = [b.input('x', 'float32', [3, 2]), b.input('s', 'float32', []), b.input('t', 'float32', [2])];
    const n = b.input('n', 'int64', [3]);
    const shared = b.op('Mul', [x, s]);
    const halves = b.op('Mul', [b.op('Div', [n, b.index(2)]), b.index(2)]);
    const outputs = [
      b.op('Exp', [shared]),
      b.op('Mul', [shared, s]),
      b.op('Mul', [b.op('Mul', [x, t]), s]),
      b.op('Cast', [halves], { to: { kind: 'int', value: 1 } }),
    ];
    const before = b.nodes.map(({ op, inputs }) => [op, ...inputs]);
    joinScalarFactors(b, outputs);
    expect(b.nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual(before);
  });
});
