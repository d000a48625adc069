import { describe, expect, test } from '@jest/globals';
import { processorBlock } from '../../../client/processor-block.ts';
import { GraphBuilder } from '../../../graph/builder.ts';
import { exportGraph } from '../../../graph/export.ts';
import { type Attributes, type Dim, int, ints } from '../../../graph/ir.ts';
import { activateInBlocks, blockConvolutions, usesBlocks } from '../../../graph/rewrites/blocked-convolutions.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { removeUndoneMoves } from '../../../graph/rewrites/undone-moves.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const block = (await processorBlock()) ?? 16;
const here = (await processorBlock()) === undefined ? test.skip : test;

const rewrite: Rewrite = (b, outputs) => {
  blockConvolutions(block)(b, outputs);
  activateInBlocks(b, outputs);
  removeUndoneMoves(b, outputs);
  removeDeadCode(b, outputs);
};

interface Case {
  readonly op?: 'Conv' | 'ConvTranspose';
  readonly image?: readonly Dim[];
  readonly kernel?: readonly number[];
  readonly attributes?: Attributes;
  readonly bias?: boolean;
}

function convolution({ op = 'Conv', image, kernel = [64, 32, 3, 3], attributes = {}, bias = false }: Case) {
  const b = new GraphBuilder();
  const channels = op === 'Conv' ? kernel[1]! : kernel[0]!;
  const inputs = [
    b.input('x', 'float32', image ?? ['batch', channels, 9, 8]),
    b.input('w', 'float32', kernel),
    ...(bias ? [b.input('b', 'float32', [op === 'Conv' ? kernel[0]! : kernel[1]!])] : []),
  ];
  return { b, outputs: [b.op(op, inputs, { kernel_shape: ints(kernel.slice(2)), ...attributes })] };
}

const pads = (...sizes: number[]) => ({ pads: ints(sizes) });

/** Two convolutions with an activation between them. */
function pair(activation: string, gives: 'end' | 'middle too') {
  const b = new GraphBuilder();
  const kernel = (name: string, shape: number[]) => b.input(name, 'float32', shape);
  const conv = (x: string, w: string) => b.op('Conv', [x, w], { kernel_shape: ints([3, 3]), ...pads(1, 1, 1, 1) });
  const first = conv(b.input('x', 'float32', ['batch', 3, 9, 8]), kernel('v', [32, 3, 3, 3]));
  const middle = b.op(activation, [first]);
  const end = conv(middle, kernel('w', [48, 32, 3, 3]));
  return { b, outputs: gives === 'end' ? [end] : [end, middle] };
}

describe('an activation between convolutions on blocks', () => {
  here.each([
    ['Relu', 'end', { ReorderInput: 0, ReorderOutput: 1 }],
    ['Sigmoid', 'middle too', { ReorderInput: 0, ReorderOutput: 2 }],
    ['Softplus', 'end', { ReorderInput: 1, ReorderOutput: 2 }],
  ] as const)('%s, with the %s given out', async (activation, gives, moves) => {
    const { b, outputs } = pair(activation, gives);
    const { after, expected, found } = await rewriteAndRun(b, outputs, rewrite, { batch: 3 });
    for (const [move, count] of Object.entries(moves)) expect(after.filter((op) => op === move).length).toBe(count);
    expect(largestError(found, expected)).toBeLessThan(1e-5);
  });
});

describe('convolutions on blocks of channels', () => {
  here.each<[string, Case]>([
    ['one with a bias', { bias: true }],
    ['one with pads, different at each side', { attributes: pads(1, 0, 2, 1) }],
    ['one with strides', { image: ['batch', 32, 17, 15], attributes: { strides: ints([2, 2]), ...pads(1, 1, 1, 1) } }],
    ['one with dilations', { image: ['batch', 32, 11, 12], attributes: { dilations: ints([2, 1]) } }],
    ['a single position', { kernel: [32, 48, 1, 1], bias: true }],
    ['a kernel that is not square', { kernel: [32, 32, 3, 2] }],
    ['an image whose size is known only when it runs', { image: ['batch', 32, 'height', 'width'] }],
    ['few input channels, taken as they are', { kernel: [32, 3, 3, 3], bias: true, attributes: pads(1, 0, 2, 1) }],
    [
      'few input channels, with strides',
      { image: ['batch', 7, 17, 15], kernel: [64, 7, 5, 3], attributes: { strides: ints([2, 1]) } },
    ],
    ['one that gives gradients back', { op: 'ConvTranspose', attributes: pads(1, 1, 1, 1) }],
    ['one that gives them back with dilations', { op: 'ConvTranspose', attributes: { dilations: ints([1, 2]) } }],
  ])('%s gives the same', async (_, given) => {
    const { b, outputs } = convolution(given);
    const sizes = { batch: 3, height: 8, width: 9 };
    const { after, expected, found } = await rewriteAndRun(b, outputs, rewrite, sizes);
    expect(after).toContain('ReorderOutput');
    expect(after).not.toContain('ConvTranspose');
    expect(usesBlocks(exportGraph(b.build('test', outputs)))).toBe(true);
    // Sums of up to 576 products in another order.
    expect(largestError(found, expected)).toBeLessThan(1e-5);
  });

  test.each<[string, Case]>([
    ['channels that are no whole blocks', { kernel: [64, 30, 3, 3] }],
    ['groups', { kernel: [64, 16, 3, 3], image: ['batch', 32, 9, 8], attributes: { group: int(2) } }],
    ['one axis', { image: ['batch', 32, 50], kernel: [32, 32, 3] }],
    ['an image so small that the kernel is what counts', { image: ['batch', 32, 6, 6] }],
    [
      'a transposed convolution with strides',
      { op: 'ConvTranspose', attributes: { strides: ints([2, 2]), output_padding: ints([1, 1]) } },
    ],
  ])('%s: left alone', (_, given) => {
    const { b, outputs } = convolution(given);
    const before = b.nodes.map(({ op }) => op);
    rewrite(b, outputs);
    expect(b.nodes.map(({ op }) => op)).toEqual(before);
    expect(usesBlocks(exportGraph(b.build('test', outputs)))).toBe(false);
  });
});
