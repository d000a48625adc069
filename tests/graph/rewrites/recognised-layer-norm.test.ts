import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { float32Tensor, floatAttribute } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { recogniseLayerNorm } from '../../../graph/rewrites/recognised-layer-norm.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { largestError, rewriteAndRun, runGraph } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  recogniseLayerNorm(b, outputs);
  removeDeadCode(b, outputs);
};

interface Spelling {
  readonly axes?: readonly number[];
  readonly power?: boolean;
  readonly affine?: 'scale and bias' | 'bias first' | 'scale' | 'none';
  readonly epsilon?: number;
  /** What the quotient is of: the centred values, or, wrongly, the values. */
  readonly numerator?: 'centred' | 'x';
}

const size = 6;

function norm({
  axes = [-1],
  power = true,
  affine = 'scale and bias',
  epsilon = 1e-3,
  numerator = 'centred',
}: Spelling) {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 4, size]);
  const scale = b.input('scale', 'float32', [size]);
  const bias = b.input('bias', 'float32', [size]);
  const mean = (value: string) => b.op('ReduceMean', [value, b.axes(axes)]);
  const centred = b.op('Sub', [x, mean(x)]);
  const square = power ? b.op('Pow', [centred, b.scalar(2)]) : b.op('Mul', [centred, centred]);
  const deviation = b.op('Sqrt', [b.op('Add', [mean(square), b.constant(float32Tensor([1], [epsilon]))])]);
  const quotient = b.op('Div', [numerator === 'x' ? x : centred, deviation]);
  const scaled =
    affine === 'none' ? quotient : b.op('Mul', affine === 'bias first' ? [scale, quotient] : [quotient, scale]);
  const y =
    affine === 'scale' || affine === 'none'
      ? scaled
      : b.op('Add', affine === 'bias first' ? [bias, scaled] : [scaled, bias]);
  return { b, y };
}

const spellings: [string, Spelling][] = [
  ['as PyTorch writes it', {}],
  ['with operands exchanged', { affine: 'bias first' }],
  ['with a product for the square, and the axis counted from the front', { power: false, axes: [2] }],
  ['without bias', { affine: 'scale' }],
  ['without scale and bias', { affine: 'none' }],
];

describe.each(spellings)('LayerNorm %s', (_, spelling) => {
  test('is one operator, with its values and its gradients', async () => {
    const { b, y } = norm(spelling);
    const { after, expected, found } = await rewriteAndRun(b, [y], rewrite, { n: 5 });
    expect(after).toEqual(['LayerNormalization']);
    expect(floatAttribute(b.nodes[0]!, 'epsilon', 0)).toBeCloseTo(1e-3, 9);
    expect(largestError(found, expected)).toBeLessThan(1e-5);
    const [plain, recognised] = await Promise.all([gradientsOf(spelling, false), gradientsOf(spelling, true)]);
    expect(largestError(recognised, plain)).toBeLessThan(1e-5);
  });
});

async function gradientsOf(spelling: Spelling, recognised: boolean): Promise<number[][]> {
  const { b, y } = norm(spelling);
  if (recognised) rewrite(b, [y]);
  const nodes = [...b.nodes];
  const dy = b.input('dy', 'float32', ['n', 4, size]);
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const wanted = ['x', 'scale', 'bias'].filter((name) => read.has(name));
  const gradients = differentiate(b, nodes, new Map([[y, dy]]), new Set(wanted));
  return runGraph(
    b,
    wanted.map((name) => gradients.get(name)!),
    { n: 5 },
  );
}

test.each<[string, Spelling]>([
  ['over another axis', { axes: [1] }],
  ['over two axes', { axes: [1, 2] }],
  ['of values that are not centred', { numerator: 'x' }],
  ['without an epsilon to speak of', { epsilon: 0 }],
])('a quotient %s is no LayerNorm', (_, spelling) => {
  const { b, y } = norm(spelling);
  const before = [...b.nodes];
  recogniseLayerNorm(b, [y]);
  expect(b.nodes).toEqual(before);
});

test('a scale per token, and a normalised value that is read elsewhere, stay what they are', () => {
  const { b, y } = norm({ affine: 'none' });
  const perToken = b.op('Mul', [y, b.input('gate', 'float32', [4, 1])]);
  const shifted = b.op('Add', [y, b.input('shift', 'float32', [size])]);
  rewrite(b, [perToken, shifted]);
  expect(b.nodes.map(({ op }) => op)).toEqual(['LayerNormalization', 'Mul', 'Add']);
});
