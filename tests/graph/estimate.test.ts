import { expect, test } from '@jest/globals';
import { estimateStep } from '../../graph/estimate.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';
import { buildCnn } from '../../models/cnn.ts';

const sizes = { batch: 10, length: 100 };

test('one matrix: products, weights, gradients and updated weights, and no activation but the input', () => {
  const graph = {
    name: 'line',
    inputs: [{ name: 'x', dtype: 'float32' as const, shape: ['n', 20] }],
    outputs: [{ name: 'y', dtype: 'float32' as const, shape: ['n', 30] }],
    nodes: [{ name: 'm', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: {} }],
    constants: new Map([['w', float32Tensor([20, 30], new Float32Array(600))]]),
  };
  const model: Model = { graph, opset: 17, weights: ['w'] };
  const flop = 2 * 20 * 30;
  // The input needs no gradient, and nothing of the forward pass is read backward but the input.
  expect(estimateStep(model, sizes)).toEqual({
    bytes: 3 * 600 * 4,
    activationBytes: 0,
    forwardFlop: flop,
    trainingFlop: flop,
  });
});

test('a convolution counts its kernel at every place of its output', () => {
  const settings = { kind: 'cnn' as const, channels: [4], hidden: 8, imageShape: [3, 10, 10] as const, classes: 5 };
  const model = buildCnn({ ...settings, imageShape: [3, 10, 10] }, 1);
  const { forwardFlop, trainingFlop, bytes, activationBytes } = estimateStep(model, sizes);
  const dense = 4 * 16 * 8 + 8 * 5;
  expect(forwardFlop).toBe(2 * (4 * 64 * 27 + dense));
  expect(trainingFlop).toBeGreaterThan(2 * forwardFlop);
  expect(trainingFlop).toBeLessThan(3.1 * forwardFlop);
  // At least the outputs of the convolution, which the backward pass reads.
  expect(activationBytes).toBeGreaterThan(10 * 4 * 64 * 4);
  expect(bytes - activationBytes).toBe(
    12 * model.weights.reduce((sum, name) => sum + model.graph.constants.get(name)!.data.length, 0),
  );
});

test('activations grow with the batch, compute per example does not', () => {
  const model = buildCnn({ kind: 'cnn', channels: [4], hidden: 8, imageShape: [3, 10, 10], classes: 5 }, 1);
  const [small, large] = [estimateStep(model, sizes), estimateStep(model, { batch: 20, length: 100 })];
  expect(large.activationBytes / small.activationBytes).toBeCloseTo(2, 1);
  expect(large.trainingFlop).toBeCloseTo(small.trainingFlop, 0);
});

test('frozen weights are stored once, and need neither a gradient nor a product for it', () => {
  const model = buildCnn({ kind: 'cnn', channels: [4], hidden: 8, imageShape: [3, 10, 10], classes: 5 }, 1);
  const frozen = { ...model, weights: ['output.weight', 'output.bias'] };
  const [all, some] = [estimateStep(model, sizes), estimateStep(frozen, sizes)];
  const trained = 8 * 5 + 5;
  const stored = 4 * 27 + 4 + 64 * 8 + 8;
  expect(some.bytes - some.activationBytes).toBe(12 * trained + 4 * stored);
  expect(some.forwardFlop).toBe(all.forwardFlop);
  // One product for the last weight's gradient; the last forward product is read by the loss alone, which is not counted.
  expect(some.trainingFlop).toBe(all.forwardFlop - 2 * 8 * 5 + 2 * 8 * 5);
});
