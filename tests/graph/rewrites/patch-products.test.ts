import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { type Attributes, int, ints } from '../../../graph/ir.ts';
import { multiplyPatches } from '../../../graph/rewrites/patch-products.ts';
import { largestError, rewriteAndRun, runGraph } from '../../support/run-graph.ts';

interface Case {
  readonly image: readonly number[];
  readonly kernel: readonly number[];
  readonly attributes?: Attributes;
  readonly channels?: number;
  readonly outputs?: number;
  readonly bias?: boolean;
  /** Default: one of whole patches. */
  readonly products?: number;
}

function convolved({ image, kernel, attributes = {}, channels = 64, outputs = 72, bias = false }: Case) {
  const b = new GraphBuilder();
  const inputs = [b.input('x', 'float32', ['batch', channels, ...image])];
  const groups = attributes.group?.kind === 'int' ? attributes.group.value : 1;
  inputs.push(b.input('w', 'float32', [outputs, channels / Number(groups), ...kernel]));
  if (bias) inputs.push(b.input('bias', 'float32', [outputs]));
  return { b, inputs, y: b.op('Conv', inputs, { kernel_shape: ints(kernel), ...attributes }) };
}

const pads = ints([1, 1, 1, 1]);
const cases: [string, Case][] = [
  ['padded', { image: [4, 4], kernel: [3, 3], attributes: { pads }, products: 9 }],
  ['with a bias', { image: [4, 3], kernel: [3, 3], attributes: { pads }, bias: true, products: 9 }],
  ['padded a little', { image: [4, 4], kernel: [3, 3], attributes: { pads: ints([0, 1, 0, 0]) }, bias: true }],
  [
    'padded on two sides, the kernel large',
    { image: [3, 4], kernel: [2, 4], attributes: { pads: ints([1, 3, 0, 0]) }, products: 8 },
  ],
  [
    'of stride 2, padded on one side more',
    { image: [4, 4], kernel: [3, 3], attributes: { pads: ints([0, 1, 1, 2]), strides: ints([2, 2]) } },
  ],
  [
    'dilated',
    { image: [4, 4], kernel: [2, 3], attributes: { pads: ints([0, 2, 0, 2]), dilations: ints([1, 2]) }, products: 6 },
  ],
  [
    'padded so far that a position of the kernel lies on no pixel',
    { image: [2, 2], kernel: [3, 1], attributes: { pads: ints([3, 0, 0, 0]) } },
  ],
  ['of one axis', { image: [9], kernel: [4], attributes: { pads: ints([1, 2]) } }],
  ['whose kernel takes the whole image', { image: [3, 3], kernel: [3, 3] }],
];

describe('a convolution of a small image as a product of patches', () => {
  test.each(cases)('gives the same values %s', async (_, setting) => {
    const { b, y } = convolved(setting);
    const { after, expected, found } = await rewriteAndRun(b, [y], multiplyPatches, { batch: 3 });
    expect(after).not.toContain('Conv');
    expect(after.filter((op) => op === 'Gemm')).toHaveLength(setting.products ?? 1);
    expect(largestError(found, expected)).toBeLessThan(1e-5);
  });

  test.each(cases)('and the same gradients %s', async (_, setting) => {
    const [plain, products] = await Promise.all([false, true].map((rewritten) => gradientsOf(setting, rewritten)));
    expect(products).toHaveLength(plain!.length);
    expect(largestError(products!, plain!)).toBeLessThan(1e-5);
  });

  test.each<[string, Case]>([
    ['the image is large', { image: [6, 6], kernel: [3, 3], attributes: { pads }, outputs: 160 }],
    ['there are few channels', { image: [3, 3], kernel: [3, 3], attributes: { pads }, channels: 32 }],
    [
      'the channels are in groups',
      { image: [3, 3], kernel: [3, 3], attributes: { pads, group: int(2) }, channels: 128 },
    ],
    ['the kernel is one position', { image: [3, 3], kernel: [1, 1] }],
    ['cutting patches would cost as much as the product', { image: [20, 1], kernel: [3, 1], outputs: 64 }],
  ])('is not made where %s', (_, setting) => {
    const { b, y } = convolved(setting);
    multiplyPatches(b, [y]);
    expect(b.nodes.map(({ op }) => op)).toEqual(['Conv']);
  });
});

/** Of the sum of squares of the result, by all inputs. */
async function gradientsOf(setting: Case, rewritten: boolean): Promise<number[][]> {
  const { b, inputs, y } = convolved(setting);
  if (rewritten) multiplyPatches(b, [y]);
  const nodes = [...b.nodes];
  const gradients = differentiate(b, nodes, new Map([[y, y]]), new Set(inputs));
  return runGraph(
    b,
    inputs.map((input) => gradients.get(input)!),
    { batch: 3 },
  );
}
