import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../graph/builder.ts';
import { int } from '../../graph/ir.ts';
import { hoistStepScalars } from '../../graph/step-scalars.ts';

test('what follows from the size of the mini-batch and settings is computed for all steps, and looked up', () => {
  const outer = new GraphBuilder();
  const sizes = outer.input('sizes', 'int64', ['steps']);
  const rate = outer.input('rate', 'float32', []);
  const b = outer.subgraph();
  const step = b.input('step', 'int64', []);
  const rows = b.input('rows', 'float32', ['batch', 3]);
  const labels = b.input('labels', 'int64', ['batch']);
  const size = b.op('Cast', [b.op('Size', [labels])], { to: int(1) });
  const share = b.op('Div', [rate, size]);
  const scaled = b.op('Mul', [rows, share]);
  const elements = b.op('Size', [rows]);
  const own = b.op('Mul', [b.op('ReduceMax', [rows], { keepdims: int(0) }), share]);
  const given = b.op('Add', [size, rate]);
  hoistStepScalars(outer, b, step, { rows: new Map(), chosen: '', start: '', end: '', sizes }, [given]);
  expect(outer.nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([
    ['Cast', 'sizes'],
    ['Div', 'rate', expect.any(String)],
    ['Add', expect.any(String), 'rate'],
  ]);
  expect(outer.shape(outer.nodes[1]!.outputs[0]!)).toEqual(['steps']);
  expect(b.nodes.map(({ op }) => op)).toEqual(['Gather', 'Mul', 'Size', 'ReduceMax', 'Mul', 'Gather']);
  // What the body gives stays, though nothing in it reads it.
  expect(b.nodes.at(-1)!.outputs).toEqual([given]);
  expect(b.nodes[0]).toMatchObject({ inputs: [outer.nodes[1]!.outputs[0], step], outputs: [share] });
  expect(b.rank(share)).toBe(0);
  expect([scaled, elements, own].every((value) => b.nodes.some(({ outputs }) => outputs[0] === value))).toBe(true);
});
