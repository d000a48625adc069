import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../../graph/builder.ts';
import type { Dim } from '../../../graph/ir.ts';
import { crossEntropy } from '../../../graph/losses/cross-entropy.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { namedStream } from '../../../random/stream.ts';

async function computed(logits: readonly (readonly number[])[], labels: readonly number[], classes: Dim = 'classes') {
  const b = new GraphBuilder();
  const { loss, logitsGradient } = crossEntropy(
    b,
    b.input('logits', 'float32', ['batch', classes]),
    b.input('labels', 'int64', ['batch']),
  );
  const graph = b.build('cross_entropy', [loss, logitsGradient]);
  const session = await ort.InferenceSession.create(encodeModel({ graph, opset: 21, weights: [] }));
  const results = await session.run({
    logits: new ort.Tensor('float32', Float32Array.from(logits.flat()), [logits.length, logits[0]!.length]),
    labels: new ort.Tensor('int64', BigInt64Array.from(labels, BigInt), [labels.length]),
  });
  return { loss: Number(results[loss]!.data[0]), gradient: Array.from(results[logitsGradient]!.data as Float32Array) };
}

/** −log softmax in float64. */
function expectedLoss(logits: readonly (readonly number[])[], labels: readonly number[]): number {
  const losses = logits.map((row, i) => {
    const high = Math.max(...row);
    return high + Math.log(row.reduce((sum, v) => sum + Math.exp(v - high), 0)) - row[labels[i]!]!;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe('mean cross-entropy', () => {
  test('of equal logits is log(classes), its gradient (1/classes − one-hot) / batch', async () => {
    const { loss, gradient } = await computed(
      [
        [0, 0, 0, 0],
        [7, 7, 7, 7],
      ],
      [1, 3],
    );
    expect(loss).toBeCloseTo(Math.log(4), 6);
    const [off, on] = [0.125, -0.375];
    for (const [i, value] of [off, on, off, off, off, off, off, on].entries())
      expect(gradient[i]).toBeCloseTo(value, 6);
  });

  test('of a hand-computed pair', async () => {
    // softmax([ln 1, ln 2, ln 5]) = [1/8, 2/8, 5/8]
    const { loss, gradient } = await computed([[0, Math.log(2), Math.log(5)]], [2], 3);
    expect(loss).toBeCloseTo(Math.log(8 / 5), 6);
    for (const [i, value] of [1 / 8, 2 / 8, 5 / 8 - 1].entries()) expect(gradient[i]).toBeCloseTo(value, 6);
  });

  test('and its gradient agree with float64 and finite differences', async () => {
    const stream = namedStream('cross entropy', 'logits');
    const logits = Array.from({ length: 5 }, () => Array.from({ length: 6 }, () => 8 * stream.uniform() - 4));
    const labels = [0, 5, 2, 2, 4];
    const { loss, gradient } = await computed(logits, labels);
    expect(loss).toBeCloseTo(expectedLoss(logits, labels), 5);
    const step = 1e-4;
    for (const [i, row] of logits.entries()) {
      for (const k of row.keys()) {
        const at = (offset: number) =>
          expectedLoss(
            logits.map((r, j) => r.map((v, c) => (j === i && c === k ? v + offset : v))),
            labels,
          );
        expect(Math.abs((at(step) - at(-step)) / (2 * step) - gradient[i * 6 + k]!)).toBeLessThan(2e-7);
      }
    }
  });

  test('stays finite for peaky logits', async () => {
    const { loss, gradient } = await computed(
      [
        [200, -200, 0],
        [-200, 200, 0],
      ],
      [1, 1],
    );
    expect(loss).toBeCloseTo(200, 4);
    expect(gradient).toEqual([0.5, -0.5, 0, 0, 0, 0]);
  });
});
