import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../graph/builder.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { encodeModel } from '../../graph/onnx/write.ts';

async function evaluate(b: GraphBuilder, value: string, feeds: Record<string, number[]>): Promise<number[]> {
  const out = b.op('Identity', [value], {}, { outputNames: ['out'] });
  const session = await ort.InferenceSession.create(
    encodeModel({ graph: b.build('g', [out]), opset: 21, weights: [] }),
  );
  const tensors = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  const results = await session.run(
    Object.fromEntries(
      tensors.map(([name, data]) => [name, new ort.Tensor('float32', Float32Array.from(data), [data.length])]),
    ),
  );
  return Array.from(results.out!.data as Float32Array);
}

describe('reverse-mode differentiation', () => {
  test('adds the gradients of every use of a value', async () => {
    const b = new GraphBuilder();
    const [x, dy] = [b.input('x', 'float32', [2]), b.input('dy', 'float32', [2])];
    // y = x·x + 3x, so y' = 2x + 3.
    const y = b.op('Add', [b.op('Mul', [x, x]), b.op('Mul', [x, b.scalar(3)])]);
    const gradient = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
    expect(await evaluate(b, gradient, { x: [2, -1], dy: [1, 10] })).toEqual([7, 10]);
  });

  test('gives intermediate values their gradients as well', async () => {
    const b = new GraphBuilder();
    const [x, dy] = [b.input('x', 'float32', [1]), b.input('dy', 'float32', [1])];
    const middle = b.op('Mul', [x, b.scalar(5)]);
    const y = b.op('Mul', [middle, middle]);
    const gradients = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x, middle]));
    expect(await evaluate(b, gradients.get(middle)!, { x: [2], dy: [1] })).toEqual([20]);
  });

  test('starts from several seeds, one of them inside the graph', async () => {
    const b = new GraphBuilder();
    const [x, dy] = [b.input('x', 'float32', [1]), b.input('dy', 'float32', [1])];
    const middle = b.op('Mul', [x, b.scalar(5)]);
    const y = b.op('Mul', [middle, middle]);
    const seeds = new Map([
      [y, dy],
      [middle, dy],
    ]);
    // d(25x²)/dx + d(5x)/dx = 50x + 5
    const gradient = differentiate(b, [...b.nodes], seeds, new Set([x])).get(x)!;
    expect(await evaluate(b, gradient, { x: [2], dy: [1] })).toEqual([105]);
  });

  test('leaves out values the loss does not depend on', () => {
    const b = new GraphBuilder();
    const [x, z] = [b.input('x', 'float32', [1]), b.input('z', 'float32', [1])];
    const y = b.op('Exp', [x]);
    b.op('Exp', [z]);
    const gradients = differentiate(b, [...b.nodes], new Map([[y, b.scalar(1)]]), new Set([x, z]));
    expect([...gradients.keys()]).toEqual([x]);
  });

  test('stops at operators that are flat', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2]);
    const y = b.op('Mul', [b.op('Sign', [x]), b.scalar(2)]);
    expect(differentiate(b, [...b.nodes], new Map([[y, b.scalar(1)]]), new Set([x])).size).toBe(0);
  });

  test('writes nothing for values nobody asked for', () => {
    const b = new GraphBuilder();
    const [x, w] = [b.input('x', 'float32', [4, 3]), b.input('w', 'float32', [3, 2])];
    const y = b.op('MatMul', [x, w]);
    const before = b.nodes.length;
    differentiate(b, [...b.nodes], new Map([[y, b.input('dy', 'float32', [4, 2])]]), new Set([w]));
    expect(b.nodes.length - before).toBe(1);
  });
});
