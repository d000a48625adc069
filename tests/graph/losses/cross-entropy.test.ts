import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../../graph/builder.ts';
import type { Dim } from '../../../graph/ir.ts';
import { crossEntropy } from '../../../graph/losses/cross-entropy.ts';
import type { CrossEntropyOptions } from '../../../graph/losses/spec.ts';
import { tokenCrossEntropy } from '../../../graph/losses/token-cross-entropy.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { namedStream } from '../../../random/stream.ts';

async function computed(
  logits: readonly (readonly number[])[],
  labels: readonly number[],
  classes: Dim = 'classes',
  options: CrossEntropyOptions = {},
  write = crossEntropy,
) {
  const b = new GraphBuilder();
  const { loss, logitsGradient } = write(
    b,
    b.input('logits', 'float32', ['batch', classes]),
    b.input('labels', 'int64', ['batch']),
    options,
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

describe('options agree with PyTorch 1.13 (torch.nn.functional.cross_entropy and its gradient)', () => {
  const logits = [
    [0.5, -1, 2],
    [1.5, 0.25, -0.75],
    [-0.5, 0, 1],
    [2, 1, 0],
  ];
  const classWeights = [0.5, 2, 1.25];
  const cases: [string, CrossEntropyOptions, number[], number, number[]][] = [
    [
      'label smoothing',
      { labelSmoothing: 0.1 },
      [2, 0, 1, 0],
      0.6984896659851074,
      [
        0.035489265, 0.001444809, -0.036934078, -0.053723246, 0.043125816, 0.010597431, 0.026727762, -0.175527364,
      ].concat([0.148799583, -0.067023084, 0.05284879, 0.014174311]),
    ],
    [
      'class weights',
      { classWeights },
      [2, 0, 1, 0],
      0.8469449877738953,
      [
        0.051555999, 0.011503698, -0.063059703, -0.033124663, 0.024216071, 0.008908595, 0.065997355, -0.361777008,
      ].concat([0.295779616, -0.039383411, 0.028791588, 0.010591833]),
    ],
    [
      'both',
      { classWeights, labelSmoothing: 0.2 },
      [2, 0, 1, 0],
      1.0654358863830566,
      [
        0.043712862, -0.019868853, -0.023844017, 0.007918332, 0.000108341, -0.00802667, 0.053204417, -0.307192743,
      ].concat([0.253988296, -0.00021804, 0.006056514, -0.00583846]),
    ],
  ];

  test.each(cases)('%s', async (_, options, labels, expected, expectedGradient) => {
    for (const classes of ['classes', 3]) {
      for (const write of [crossEntropy, tokenCrossEntropy]) {
        const { loss, gradient } = await computed(logits, labels, classes, options, write);
        expect(loss).toBeCloseTo(expected, 6);
        for (const [i, value] of expectedGradient.entries()) expect(gradient[i]).toBeCloseTo(value, 6);
      }
    }
  });

  test('positions to ignore', async () => {
    const options = { classWeights, labelSmoothing: 0.2 };
    const { loss, gradient } = await computed(logits, [2, -100, 1, 0], 3, options, tokenCrossEntropy);
    expect(loss).toBeCloseTo(1.0557329654693604, 6);
    const first = [0.049541242, -0.022518031, -0.027023219, 0, 0, 0, 0.060298339, -0.348151773, 0.28785342];
    for (const [i, value] of first.entries()) expect(gradient[i]).toBeCloseTo(value, 6);
  });

  test('a class without weight alone teaches nothing', async () => {
    const { loss, gradient } = await computed([[1, 2]], [0], 2, { classWeights: [0, 1] });
    expect(loss).toBe(0);
    expect(gradient).toEqual([0, 0]);
  });

  test('as many weights as classes', async () => {
    await expect(computed(logits, [0, 0, 0, 0], 3, { classWeights: [1, 2] })).rejects.toThrow(
      /loss\.classWeights: has 2 weights, but the output has 3 classes/,
    );
  });
});
