import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../../graph/builder.ts';
import { exportGraph } from '../../../graph/export.ts';
import { type Attributes, type Dim, int, ints, type Node, text } from '../../../graph/ir.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { withExplicitPads } from '../../../graph/operators/transposed-padding.ts';
import { namedStream } from '../../../random/stream.ts';

const [channels, outputs] = [2, 3];

interface Case {
  readonly kernel: readonly number[];
  readonly sizes: readonly number[];
  readonly attributes: Attributes;
}

function nodeOf(attributes: Attributes): Node {
  return { name: 'mine', op: 'ConvTranspose', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes };
}

/** The node as a file has it, run by onnxruntime. */
function asItIs({ kernel, sizes, attributes }: Case): Uint8Array {
  const value = (name: string, shape: readonly Dim[]) => ({ name, dtype: 'float32' as const, shape });
  const graph = {
    name: 'given',
    inputs: [value('x', [1, channels, ...sizes]), value('w', [channels, outputs, ...kernel])],
    outputs: [value('y', ['a', 'b', ...sizes.map((_, i) => `s${i}`)])],
    nodes: [nodeOf(attributes)],
    constants: new Map(),
  };
  return encodeModel({ graph, opset: 17, weights: [] });
}

function respelled({ kernel, attributes }: Case, shape: readonly Dim[]): GraphBuilder {
  const b = new GraphBuilder();
  b.input('x', 'float32', [1, channels, ...shape]);
  b.input('w', 'float32', [channels, outputs, ...kernel]);
  const [y] = withExplicitPads(b, nodeOf(attributes), ['x', 'w'], attributes);
  b.op('Identity', [y!], {}, { outputNames: ['y'] });
  return b;
}

async function run(bytes: Uint8Array, { kernel, sizes }: Case) {
  const session = await ort.InferenceSession.create(bytes);
  const tensor = (name: string, dims: readonly number[]) => {
    const stream = namedStream('transposed padding test', name);
    const length = dims.reduce((a, b) => a * b, 1);
    return new ort.Tensor(
      'float32',
      Float32Array.from({ length }, () => stream.uniform()),
      dims,
    );
  };
  const feeds = { x: tensor('x', [1, channels, ...sizes]), w: tensor('w', [channels, outputs, ...kernel]) };
  const { y } = await session.run(feeds);
  await session.release();
  return { dims: y!.dims, data: [...(y!.data as Float32Array)] };
}

const strided = { strides: ints([2, 3]) };
const cases: readonly (Case & { readonly title: string })[] = [
  { title: 'SAME_UPPER', kernel: [3, 4], sizes: [4, 5], attributes: { auto_pad: text('SAME_UPPER'), ...strided } },
  { title: 'SAME_LOWER', kernel: [3, 4], sizes: [4, 5], attributes: { auto_pad: text('SAME_LOWER'), ...strided } },
  {
    title: 'SAME_UPPER, dilated',
    kernel: [3],
    sizes: [6],
    attributes: { auto_pad: text('SAME_UPPER'), dilations: ints([2]) },
  },
  { title: 'VALID', kernel: [3, 2], sizes: [4, 5], attributes: { auto_pad: text('VALID'), ...strided } },
  { title: 'pads as they are', kernel: [3, 4], sizes: [4, 5], attributes: { pads: ints([1, 0, 0, 2]), ...strided } },
  { title: 'an output shape', kernel: [3, 4], sizes: [4, 5], attributes: { output_shape: ints([8, 15]), ...strided } },
  {
    title: 'an output shape, the odd one at the end',
    kernel: [3, 4],
    sizes: [4, 5],
    attributes: { output_shape: ints([8, 15]), auto_pad: text('SAME_UPPER'), ...strided },
  },
];

describe('a ConvTranspose with padding that follows from something else', () => {
  test.each(cases)('$title: computes what the file says', async ({ title: _, ...each }) => {
    const b = respelled(each, each.sizes);
    const found = await run(exportGraph(b.build('respelled', ['y'])), each);
    const expected = await run(asItIs(each), each);
    expect(found.dims).toEqual(expected.dims);
    expect([...b.shape('y')]).toEqual([...expected.dims]);
    for (const [i, value] of expected.data.entries()) expect(found.data[i]).toBeCloseTo(value, 5);
  });

  test('SAME needs no known size; an output shape does, and says so', () => {
    const open = (attributes: Attributes) => () => respelled({ kernel: [3], sizes: [4], attributes }, ['frames']);
    expect(open({ auto_pad: text('SAME_UPPER'), strides: ints([2]) })).not.toThrow();
    expect(open({ output_shape: ints([8]) })).toThrow(
      /'mine' \(ConvTranspose\): with output_shape .* is open \(frames\); export it with pads/,
    );
  });

  test('an output beyond what the kernel reaches is refused', () => {
    const far = { kernel: [3], sizes: [4], attributes: { output_shape: ints([20]), group: int(1) } };
    expect(() => respelled(far, [4])).toThrow(/'mine' \(ConvTranspose\): output_shape \[20\] is larger/);
  });
});
