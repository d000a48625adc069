import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { ints } from '../../../graph/ir.ts';
import { runGraph } from '../../support/run-graph.ts';

/**
 * Convolutions with many channels have gradients of their own spelling, which are too large for finite differences. A convolution is
 * linear in the image and in the kernel: with random u and v, ⟨dx, u⟩ = ⟨dy, conv(u, w)⟩ and ⟨dw, v⟩ = ⟨dy, conv(x, v)⟩.
 */
describe('gradients of a wide convolution are its adjoints', () => {
  test.each([
    {
      title: '3×3, padded',
      image: [64, 5, 6],
      weight: [96, 64, 3, 3],
      dims: [5, 6],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
    },
    {
      title: 'uneven kernel and padding',
      image: [64, 6, 7],
      weight: [64, 64, 2, 3],
      dims: [6, 5],
      strides: [1, 1],
      pads: [0, 0, 1, 0],
    },
    {
      title: 'dilated',
      image: [64, 7, 7],
      weight: [64, 64, 3, 3],
      dims: [5, 5],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      dilations: [2, 2],
    },
    { title: 'strided', image: [64, 6, 6], weight: [80, 64, 3, 3], dims: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    { title: 'one-dimensional', image: [64, 9], weight: [64, 64, 4], dims: [6], strides: [1], pads: [0, 0] },
    { title: '1×1', image: [64, 4, 4], weight: [128, 64, 1, 1], dims: [4, 4], strides: [1, 1], pads: [0, 0, 0, 0] },
    {
      title: 'of a large image: rows stacked',
      image: [20, 14, 15],
      weight: [16, 20, 3, 3],
      dims: [14, 15],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      stacked: true,
    },
    {
      title: 'rows stacked, dilated downwards and strided sideways',
      image: [20, 19, 17],
      weight: [18, 20, 2, 4],
      dims: [16, 8],
      strides: [1, 2],
      pads: [0, 1, 0, 1],
      dilations: [3, 1],
      stacked: true,
    },
    {
      title: 'rows stacked, in three dimensions',
      image: [16, 6, 7, 8],
      weight: [16, 16, 3, 2, 3],
      dims: [5, 6, 8],
      strides: [1, 1, 1],
      pads: [1, 0, 1, 0, 0, 1],
      stacked: true,
    },
  ])('$title', async ({ image, weight, dims, strides, pads, dilations, stacked = false }) => {
    const b = new GraphBuilder();
    const attributes = {
      kernel_shape: ints(weight.slice(2)),
      strides: ints(strides),
      pads: ints(pads),
      dilations: ints(dilations ?? strides.map(() => 1)),
    };
    const [x, u] = ['x', 'u'].map((name) => b.input(name, 'float32', ['n', ...image])) as [string, string];
    const [w, v] = ['w', 'v'].map((name) => b.input(name, 'float32', weight)) as [string, string];
    const dy = b.input('dy', 'float32', ['n', weight[0]!, ...dims]);
    const conv = (input: string, kernel: string) => b.op('Conv', [input, kernel], attributes);
    const y = conv(x, w);
    const gradients = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x, w]));
    expect(stacksRows(b)).toBe(stacked);
    const values = [gradients.get(x)!, gradients.get(w)!, u, v, dy, conv(u, w), conv(x, v)];
    const outputs = values.map((value) => b.op('Identity', [value]));
    const [dx, dw, us, vs, dys, alongU, alongV] = (await runGraph(b, outputs, { n: 3 })) as number[][];
    const scale = Math.sqrt(inner(dys!, dys!));
    expect(
      Math.abs(inner(dx!, us!) - inner(dys!, alongU!)) / (scale * Math.sqrt(inner(alongU!, alongU!))),
    ).toBeLessThan(1e-6);
    expect(
      Math.abs(inner(dw!, vs!) - inner(dys!, alongV!)) / (scale * Math.sqrt(inner(alongV!, alongV!))),
    ).toBeLessThan(1e-6);
  });
});

test.each([
  ['stacks rows for small mini-batches', [20, 14, 15], [16, 20, 3, 3], 8, true],
  ['does not stack what large ones push out of the caches', [20, 14, 15], [16, 20, 3, 3], 500, false],
  ['does not stack more than it saves in slices', [16, 14, 15], [64, 16, 3, 3], 1, false],
])('the gradient of a kernel %s', (_, image, weight, batchSize, stacked) => {
  const b = new GraphBuilder();
  const [x, w] = [b.input('x', 'float32', ['n', ...image]), b.input('w', 'float32', weight)];
  const y = b.op('Conv', [x, w], { kernel_shape: ints(weight.slice(2)), pads: ints([1, 1, 1, 1]) });
  const dy = b.input('dy', 'float32', b.shape(y));
  differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([w]), batchSize);
  expect(stacksRows(b)).toBe(stacked);
});

/** Copies of dy and zeros, one after the other. */
const stacksRows = (b: GraphBuilder): boolean =>
  b.nodes.some(({ op, inputs }) => op === 'Concat' && inputs.length > 2 && inputs[0] === inputs[2]);

function inner(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new Error(`lengths ${a.length} and ${b.length} differ`);
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
