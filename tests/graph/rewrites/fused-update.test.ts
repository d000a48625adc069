import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { type Attributes, type Dim, float, int } from '../../../graph/ir.ts';
import { removeDeadCode } from '../../../graph/rewrites/dead-code.ts';
import { fuseUpdates } from '../../../graph/rewrites/fused-update.ts';
import type { Rewrite } from '../../../graph/rewrites/rewrite.ts';
import { writeClippedRate, writeStep } from '../../../graph/sgd-step.ts';
import { largestError, rewriteAndRun } from '../../support/run-graph.ts';

const rewrite: Rewrite = (b, outputs) => {
  fuseUpdates()(b, outputs);
  removeDeadCode(b, outputs);
};

/** The step of one weight [5, 4] whose gradient is a product over `rows`. */
function stepOf(rows: Dim, attributes: Attributes = { transA: int(1) }, clipped = true) {
  const b = new GraphBuilder();
  const w = b.input('w', 'float32', [5, 4]);
  const gradient = b.op('Gemm', [b.input('x', 'float32', [rows, 5]), b.input('d', 'float32', [rows, 4])], attributes);
  const settings = {
    learningRate: b.input('learning_rate', 'float32', []),
    maxGradientNorm: b.constant({ dtype: 'float32', dims: [], data: Float32Array.of(0.5) }),
  };
  const [weights, gradients] = [new Map([['w', w]]), new Map([[w, gradient]])];
  const rate = clipped ? writeClippedRate(b, weights, gradients, settings) : undefined;
  const updated = writeStep(b, weights, gradients, rate);
  return { b, gradient, outputs: [...updated, ...(rate === undefined ? [] : [rate])] };
}

describe('the fused update of a dense layer', () => {
  test('writes no gradient: two small products give the norm, one GEMM takes the step', async () => {
    const { b, outputs } = stepOf('batch');
    const { before, after, expected, found } = await rewriteAndRun(b, outputs, rewrite, { batch: 3 });
    expect(before).toContain('ReduceSumSquare');
    expect(after.filter((op) => op === 'Gemm')).toHaveLength(3);
    expect(after).not.toContain('ReduceSumSquare');
    expect(after).not.toContain('Sub');
    expect(b.nodes.filter(({ outputs: [name] }) => b.shape(name!).join() === '5,4')).toHaveLength(1);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
  });

  test('is one GEMM where nothing is clipped', async () => {
    const { b, outputs } = stepOf('batch', { transA: int(1) }, false);
    const { after, expected, found } = await rewriteAndRun(b, outputs, rewrite, { batch: 3 });
    expect(after).toEqual(['Gemm']);
    expect(largestError(found, expected)).toBeLessThan(1e-6);
  });

  test('has few rows on small images, too: of mini-batches so small that their products with each other pay', async () => {
    const operators = (batchSize: number) => {
      const { b, outputs } = stepOf('2*batch');
      fuseUpdates(batchSize)(b, outputs);
      return b.nodes.map(({ op }) => op);
    };
    // 2 rows each: 2 (1/5 + 1/4) is 0.9.
    expect(operators(1)).toContain('ReduceSumSquare');
    const wide = () => {
      const b = new GraphBuilder();
      const [x, d] = [b.input('x', 'float32', ['2*batch', 50]), b.input('d', 'float32', ['2*batch', 40])];
      const w = b.input('w', 'float32', [50, 40]);
      const gradient = b.op('Gemm', [x, d], { transA: int(1) });
      const change = b.op('Mul', [gradient, b.input('rate', 'float32', [])]);
      const outputs = [b.op('Sub', [w, change]), b.op('ReduceSumSquare', [gradient], { keepdims: int(0) })];
      return { b, outputs };
    };
    const { b, outputs } = wide();
    const fused: Rewrite = (builder, names) => fuseUpdates(6)(builder, names);
    const { after, expected, found } = await rewriteAndRun(b, outputs, fused, { '2*batch': 8 });
    expect(after).not.toContain('ReduceSumSquare');
    expect(largestError(found, expected)).toBeLessThan(1e-5);
    const large = wide();
    fuseUpdates(7)(large.b, large.outputs);
    expect(large.b.nodes.map(({ op }) => op)).toContain('ReduceSumSquare');
  });

  test.each([
    ['rows are frames of sequences, too many for row × row products', () => stepOf('batch*frames')],
    ['the product is scaled', () => stepOf('batch', { transA: int(1), alpha: float(2) })],
    [
      'someone else reads the gradient',
      () => {
        const written = stepOf('batch');
        return { ...written, outputs: [...written.outputs, written.b.op('Exp', [written.gradient])] };
      },
    ],
    [
      'the gradient is an output',
      () => {
        const written = stepOf('batch');
        return { ...written, outputs: [...written.outputs, written.gradient] };
      },
    ],
    [
      'the scaled gradient serves a larger value, over which it is broadcast',
      () => {
        const b = new GraphBuilder();
        const gradient = b.op('Gemm', [b.input('x', 'float32', ['batch', 5]), b.input('d', 'float32', ['batch', 4])], {
          transA: int(1),
        });
        const scaled = b.op('Mul', [gradient, b.input('rate', 'float32', [])]);
        return { b, outputs: [b.op('Sub', [b.input('w', 'float32', [2, 5, 4]), scaled])] };
      },
    ],
    [
      'the rate is a vector',
      () => {
        const b = new GraphBuilder();
        const gradient = b.op('Gemm', [b.input('x', 'float32', ['batch', 5]), b.input('d', 'float32', ['batch', 4])], {
          transA: int(1),
        });
        const scaled = b.op('Mul', [gradient, b.input('rate', 'float32', [4])]);
        return { b, outputs: [b.op('Sub', [b.input('w', 'float32', [5, 4]), scaled])] };
      },
    ],
  ])('is left alone where %s', async (_, write) => {
    const { b, outputs } = write();
    const { before, after, expected, found } = await rewriteAndRun(b, outputs, rewrite, {
      batch: 3,
      'batch*frames': 6,
    });
    expect(after).toEqual(before);
    expect(found).toEqual(expected);
  });

  test('takes the whole rate where the gradient vanishes, no root of a negative square', async () => {
    const { b, outputs } = stepOf('batch', { transA: int(1) });
    const whole = b.op('Identity', ['learning_rate']);
    const { found } = await rewriteAndRun(b, [...outputs, whole], rewrite, { batch: 0 });
    expect(found[1]).toEqual(found[2]);
  });
});
