import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { float32Tensor } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { recogniseGelu } from '../../../graph/rewrites/recognised-gelu.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { largestError, rewriteAndRun, runGraph } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  recogniseGelu(b, outputs);
  removeDeadCode(b, outputs);
};

/** How exporters write it: PyTorch, TensorFlow, and PyTorch's newer exporter. */
const spellings: Record<string, (b: GraphBuilder, x: string) => string> = {
  'x · (1 + erf(x / √2)) · ½': (b, x) => {
    const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
    return b.op('Mul', [b.op('Mul', [x, b.op('Add', [error, b.scalar(1)])]), b.scalar(0.5)]);
  },
  '½ · x · (1 + erf(x · √½))': (b, x) => {
    const error = b.op('Erf', [b.op('Mul', [b.scalar(Math.SQRT1_2), x])]);
    return b.op('Mul', [b.op('Mul', [b.scalar(0.5), x]), b.op('Add', [b.scalar(1), error])]);
  },
  'x · (½ · (1 + erf(x / √2)))': (b, x) => {
    const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.fround(Math.SQRT2))])]);
    return b.op('Mul', [x, b.op('Mul', [b.scalar(0.5), b.op('Add', [error, b.scalar(1)])])]);
  },
  '½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))': (b, x) => {
    const cube = b.op('Pow', [x, b.scalar(3)]);
    return tanhForm(b, x, b.op('Mul', [b.scalar(0.044715), cube]));
  },
  'the same with products for the cube': (b, x) => {
    const cube = b.op('Mul', [x, b.op('Mul', [x, x])]);
    return tanhForm(b, x, b.op('Mul', [cube, b.scalar(0.044715)]));
  },
};

function tanhForm(b: GraphBuilder, x: string, cubic: string, root = Math.sqrt(2 / Math.PI)): string {
  const curve = b.op('Tanh', [b.op('Mul', [b.op('Add', [x, cubic]), b.scalar(root)])]);
  return b.op('Mul', [b.op('Mul', [x, b.scalar(0.5)]), b.op('Add', [curve, b.scalar(1)])]);
}

describe.each(Object.entries(spellings))('%s', (_, write) => {
  test('is a Gelu, with its values and its gradient', async () => {
    const b = new GraphBuilder();
    const y = write(b, b.input('x', 'float32', ['n', 5]));
    const { after, expected, found } = await rewriteAndRun(b, [y], rewrite, { n: 40 });
    expect(after).toEqual(['Gelu']);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
    const [plain, recognised] = await Promise.all([gradientOf(write, false), gradientOf(write, true)]);
    expect(largestError([recognised], [plain])).toBeLessThan(1e-6);
  });
});

async function gradientOf(write: (b: GraphBuilder, x: string) => string, recognised: boolean): Promise<number[]> {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', 5]);
  const y = write(b, x);
  if (recognised) rewrite(b, [y]);
  const dy = b.input('dy', 'float32', ['n', 5]);
  const gradient = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x)!;
  return (await runGraph(b, [gradient], { n: 40 }))[0]!;
}

type Other = readonly [why: string, write: (b: GraphBuilder, x: string) => string];

test.each<Other>([
  [
    'another scale inside',
    (b, x) => {
      const error = b.op('Erf', [b.op('Div', [x, b.scalar(1.5)])]);
      return b.op('Mul', [b.op('Mul', [x, b.op('Add', [error, b.scalar(1)])]), b.scalar(0.5)]);
    },
  ],
  [
    'another scale outside',
    (b, x) => {
      const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
      return b.op('Mul', [b.op('Mul', [x, b.op('Add', [error, b.scalar(1)])]), b.scalar(0.6)]);
    },
  ],
  [
    'another value outside',
    (b, x) => {
      const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
      return b.op('Mul', [b.op('Mul', [b.op('Tanh', [x]), b.op('Add', [error, b.scalar(1)])]), b.scalar(0.5)]);
    },
  ],
  [
    'a product in it that is read elsewhere',
    (b, x) => {
      const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
      const twice = b.op('Mul', [x, b.op('Add', [error, b.scalar(1)])]);
      return b.op('Add', [b.op('Mul', [twice, b.scalar(0.5)]), twice]);
    },
  ],
  [
    'a number that makes the value one of a higher rank',
    (b, x) => {
      const error = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
      const half = b.constant(float32Tensor([1, 1, 1], [0.5]));
      return b.op('Mul', [b.op('Mul', [x, b.op('Add', [error, b.scalar(1)])]), half]);
    },
  ],
  ['a tanh of a square', (b, x) => tanhForm(b, x, b.op('Mul', [b.op('Mul', [x, x]), b.scalar(0.044715)]))],
  [
    'a tanh of a cube scaled otherwise',
    (b, x) => tanhForm(b, x, b.op('Mul', [b.op('Pow', [x, b.scalar(3)]), b.scalar(0.045)])),
  ],
  [
    'a tanh scaled otherwise',
    (b, x) => tanhForm(b, x, b.op('Mul', [b.op('Pow', [x, b.scalar(3)]), b.scalar(0.044715)]), 0.8),
  ],
])('%s is no Gelu', (_, write) => {
  const b = new GraphBuilder();
  const y = write(b, b.input('x', 'float32', ['n', 5]));
  const before = [...b.nodes];
  recogniseGelu(b, [y]);
  expect(b.nodes).toEqual(before);
});
