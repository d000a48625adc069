import { beforeAll, describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileForward, compileTraining } from '../../graph/compile.ts';
import { activeDropouts, withoutDropout } from '../../graph/dropout.ts';
import { float32Tensor, int, type Model, type Tensor } from '../../graph/ir.ts';
import { namedStream } from '../../random/stream.ts';

const SIZE = 64;
const RATIO = 0.3;

const truth = (value: boolean): Tensor => ({ dtype: 'bool', dims: [], data: Uint8Array.of(Number(value)) });

/** The mean of `nodes` chained Dropouts of x · W: with x the identity, the gradient of W is the product of the masks over its size. */
function model(nodes = 1, ratio = RATIO, training = true): Model {
  const b = new GraphBuilder();
  const weight = b.constant(float32Tensor([SIZE, SIZE], new Float32Array(SIZE * SIZE).fill(1)), 'weight');
  let y = b.op('MatMul', [b.input('x', 'float32', ['batch', SIZE]), weight]);
  for (let i = 0; i < nodes; i++)
    y = b.op('Dropout', [y, b.scalar(ratio), b.constant(truth(training))], {}, { name: `drop${i}` });
  b.op('ReduceMean', [y], { keepdims: int(0) }, { outputNames: ['cost'] });
  return { graph: b.build('dropout', ['cost']), opset: 21, weights: ['weight'] };
}

const binding = (given: Model) =>
  bindModel(given, 'tensors', 'test', {
    loss: { kind: 'output', output: 'cost' },
    fields: [{ name: 'x', dtype: 'float32', shape: [SIZE] }],
  });

const identity: ExampleBatch = {
  count: SIZE,
  fields: {
    x: {
      type: 'float32',
      dims: [SIZE, SIZE],
      data: Float32Array.from({ length: SIZE * SIZE }, (_, i) => Number(i % (SIZE + 1) === 0)),
    },
  },
};

/** Rows follow the order in which the examples were drawn, so a mask is read as the set of its values. */
async function masks(trainer: LocalTrainer, client: number, steps = 1): Promise<Float32Array> {
  const settings = localConfig.parse({ steps, batchSize: SIZE, learningRate: 1, maxGradientNorm: null });
  const { delta } = await trainer.train(
    new Float32Array(SIZE * SIZE),
    identity,
    settings,
    namedStream(1, 'client-batches', 1, client),
  );
  return delta.map((value) => value * SIZE * SIZE);
}

const zeros = (values: Float32Array) => values.filter((value) => value === 0).length;

describe('dropout in training', () => {
  let trainer: LocalTrainer;

  beforeAll(async () => {
    trainer = await LocalTrainer.create(compileTraining(model(), binding(model())));
  });

  test('keeps elements with the stated probability, scaled so that the mean stays', async () => {
    const clients = 25;
    let dropped = 0;
    for (let client = 0; client < clients; client++) {
      const mask = await masks(trainer, client);
      for (const value of mask) expect(value === 0 || Math.abs(value - 1 / (1 - RATIO)) < 1e-4).toBe(true);
      dropped += zeros(mask);
    }
    const draws = clients * SIZE * SIZE;
    const deviation = Math.sqrt(draws * RATIO * (1 - RATIO));
    expect(Math.abs(dropped - draws * RATIO)).toBeLessThan(4 * deviation);
  });

  test('repeats for the same client, and differs between clients', async () => {
    const [first, again, other] = [await masks(trainer, 1), await masks(trainer, 1), await masks(trainer, 2)];
    expect(again).toEqual(first);
    expectIndependent(first, other);
  });

  test('differs between steps', async () => {
    const [one, both] = [await masks(trainer, 1), await masks(trainer, 1, 2)];
    // The second step adds its mask to the first: rows come in another order, so only the counts are compared.
    expect(zeros(both)).toBeLessThan(zeros(one));
    const expected = SIZE * SIZE * RATIO * RATIO;
    expect(Math.abs(zeros(both) - expected)).toBeLessThan(4 * Math.sqrt(expected));
  });

  test('differs between nodes', async () => {
    const two = model(2);
    const mask = await masks(await LocalTrainer.create(compileTraining(two, binding(two))), 1);
    const kept = SIZE * SIZE * (1 - RATIO) ** 2;
    expect(Math.abs(mask.length - zeros(mask) - kept)).toBeLessThan(4 * Math.sqrt(kept));
  });

  test('neighbouring elements are independent', async () => {
    const mask = await masks(trainer, 3);
    expectIndependent(mask.subarray(1), mask.subarray(0, -1));
    expectIndependent(mask.subarray(SIZE), mask.subarray(0, -SIZE));
  });
});

/** Both are dropped as often as chance has it. */
function expectIndependent(a: Float32Array, b: Float32Array): void {
  const both = a.filter((value, i) => value === 0 && b[i] === 0).length;
  const expected = a.length * RATIO * RATIO;
  expect(Math.abs(both - expected)).toBeLessThan(4 * Math.sqrt(expected));
}

describe('dropout is off', () => {
  test('in evaluation', async () => {
    const session = await ort.InferenceSession.create(compileForward(model(), binding(model())).onnx);
    const { loss } = await session.run({
      x: new ort.Tensor('float32', identity.fields.x!.data as Float32Array, [SIZE, SIZE]),
      weight: new ort.Tensor('float32', new Float32Array(SIZE * SIZE).fill(1), [SIZE, SIZE]),
    });
    expect(Number(loss!.data[0])).toBeCloseTo(1, 6);
  });

  test('where the file says so, or drops nothing', () => {
    expect(activeDropouts(model(1, RATIO, false))).toHaveLength(0);
    expect(activeDropouts(model(1, 0))).toHaveLength(0);
    expect(activeDropouts(model(2))).toHaveLength(2);
  });

  test('in a file that is to be used', () => {
    const off = withoutDropout(model(2));
    expect(activeDropouts(off)).toHaveLength(0);
    expect(off.graph.nodes).toHaveLength(model(2).graph.nodes.length);
  });

  test('up to operator set 11 dropout has no switch: it is in the file to be trained with', () => {
    const old = model();
    const nodes = old.graph.nodes.map((node) =>
      node.op === 'Dropout' ? { ...node, inputs: node.inputs.slice(0, 1), attributes: {} } : node,
    );
    expect(activeDropouts({ graph: { ...old.graph, nodes }, opset: 11 })).toHaveLength(1);
  });
});

test('a ratio of 1 would drop everything', () => {
  expect(() => compileTraining(model(1, 1), binding(model(1, 1)))).toThrow(/'drop0' \(Dropout\) has a ratio of 1;/);
});
