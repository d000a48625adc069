import { expect, test } from '@jest/globals';
import { inlineFunctions } from '../../../graph/onnx/inline-functions.ts';
import type { FunctionProto, NodeProto } from '../../../graph/onnx/schema.ts';

const domain = 'my.layers';
const call = (opType: string, input: string[], output: string[], more: Partial<NodeProto> = {}): NodeProto => ({
  opType,
  domain,
  input,
  output,
  ...more,
});

const inlined = (functions: FunctionProto[], node: NodeProto[]) =>
  inlineFunctions({ functions, graph: { node } }, 'm.onnx');

test('names inside a function are its own: two calls do not share values', () => {
  const twice: FunctionProto = {
    name: 'twice',
    domain,
    input: ['a'],
    output: ['r'],
    node: [
      { opType: 'Add', input: ['a', 'a'], output: ['t'] },
      { opType: 'Neg', input: ['t'], output: ['r'] },
    ],
  };
  const nodes = inlined([twice], [call('twice', ['x'], ['y'], { name: 'c1' }), call('twice', ['y'], ['t'])]);
  expect(nodes.map(({ opType, input, output }) => [opType, input, output])).toEqual([
    ['Add', ['x', 'x'], ['c1/t']],
    ['Neg', ['c1/t'], ['y']],
    ['Add', ['y', 'y'], ['twice_1/t']],
    ['Neg', ['twice_1/t'], ['t']],
  ]);
});

test('attributes: the value of the call, else the default of the function, else none', () => {
  const reference = (name: string, refAttrName: string) => ({ name, refAttrName, type: 1 });
  const leaky: FunctionProto = {
    name: 'leaky',
    domain,
    input: ['a'],
    output: ['r'],
    attributeProto: [{ name: 'beta', type: 1, f: 2 }],
    node: [
      {
        opType: 'Example',
        input: ['a'],
        output: ['r'],
        attribute: [reference('first', 'alpha'), reference('second', 'beta'), reference('third', 'gamma')],
      },
    ],
  };
  const [node] = inlined([leaky], [call('leaky', ['x'], ['y'], { attribute: [{ name: 'alpha', type: 1, f: 0.5 }] })]);
  expect(node!.attribute).toEqual([
    { name: 'first', type: 1, f: 0.5 },
    { name: 'second', type: 1, f: 2 },
  ]);
});

test('inputs and outputs that a call leaves out stay out', () => {
  const body = [{ opType: 'Clip', input: ['a', 'low', 'high'], output: ['r', 'other'] }];
  const clip: FunctionProto = { name: 'clip', domain, input: ['a', 'low', 'high'], output: ['r', 'other'], node: body };
  const [node] = inlined([clip], [call('clip', ['x', '', 'h'], ['y'], { name: 'c' })]);
  expect([node!.input, node!.output]).toEqual([
    ['x', '', 'h'],
    ['y', 'c/other'],
  ]);
});

test('functions that call each other in a circle are refused', () => {
  const circle = (name: string, other: string): FunctionProto => ({
    name,
    domain,
    input: ['a'],
    output: ['r'],
    node: [call(other, ['a'], ['r'])],
  });
  expect(() => inlined([circle('f', 'g'), circle('g', 'f')], [call('f', ['x'], ['y'])])).toThrow(
    /m\.onnx: function '[fg]'/,
  );
});
