import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { forAnyBatch } from '../../cli/any-batch.ts';
import { runOnce } from '../../cli/run-once.ts';
import { bindModel } from '../../graph/binding.ts';
import { writeStep } from '../../graph/estimate.ts';
import { float32Tensor, int, type Model } from '../../graph/ir.ts';
import { readModelFile } from '../../graph/onnx/read.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { fixedBatch, openBatch } from '../../graph/open-batch.ts';

interface Numbers {
  readonly type: 'float32' | 'int64';
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** Three examples, and what PyTorch gives for them together (scripts/fixtures/export_fixed_batch.py). */
interface Case {
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly output: Numbers;
}

const folder = fileURLToPath(new URL('../fixtures/fixed-batch/', import.meta.url));
const files = readdirSync(folder).filter((file) => file.endsWith('.onnx'));

const tensorOf = ({ type, dims, data }: Numbers) =>
  type === 'float32'
    ? new Tensor(type, Float32Array.from(data), dims)
    : new Tensor(type, BigInt64Array.from(data, BigInt), dims);

describe.each(files)('%s, exported for batches of one size', (file) => {
  const given = readModelFile(folder + file);
  const { inputs, output } = JSON.parse(readFileSync(folder + file.replace('.onnx', '.json'), 'utf8')) as Case;
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, numbers]) => [name, tensorOf(numbers)]));

  test('takes three examples, and gives what PyTorch does', async () => {
    const { model, notes } = await forAnyBatch(given);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(`batch size of ${fixedBatch(given)}`);
    expect(model.graph.inputs.map(({ shape }) => shape[0])).toEqual(Object.keys(inputs).map(() => 'batch'));
    const results = await runOnce(encodeModel(model), feeds);
    expect(results.output!.dims).toEqual(output.dims);
    const largest = Math.max(...output.data.map(Math.abs));
    const off = output.data.map((value, i) => Math.abs(value - results.output!.data[i]!) / largest);
    expect(Math.max(...off)).toBeLessThan(1e-5);
  });

  test('can be trained', async () => {
    const { model } = await forAnyBatch(given);
    expect(writeStep(model).step.outputs).toHaveLength(model.weights.length);
  });

  test('could not take them before', async () => {
    await expect(runOnce(encodeModel(given), feeds)).rejects.toThrow(/onnxruntime cannot run the model/);
  });

  test('keeps its weights, under their names', async () => {
    const { model } = await forAnyBatch(given);
    expect(model.weights).toEqual(given.weights);
    for (const name of model.weights) expect(model.graph.constants.get(name)).toBe(given.graph.constants.get(name));
  });
});

const node = (op: string, inputs: readonly string[], output: string) => ({
  name: op,
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});

/** y = op(x)·w for x [1, 4]. */
const withNode = (op: string): Model => ({
  graph: {
    name: 'g',
    inputs: [{ name: 'x', dtype: 'float32', shape: [1, 4] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, 4] }],
    nodes: [node(op, ['x'], 'h'), node('MatMul', ['h', 'w'], 'y')],
    constants: new Map([
      [
        'w',
        float32Tensor(
          [4, 4],
          Float32Array.from({ length: 16 }, (_, i) => i % 5),
        ),
      ],
    ]),
  },
  opset: 17,
  weights: ['w'],
});

test('a model with an open batch axis stays as it is', async () => {
  const given = withNode('Relu');
  const [input] = given.graph.inputs;
  const open = { ...given, graph: { ...given.graph, inputs: [{ ...input!, shape: ['n', 4] }] } };
  expect(await forAnyBatch(open)).toEqual({ model: open, notes: [] });
});

test('a model that mixes examples stays as it is: shapes alone do not show it', async () => {
  const given = withNode('Softmax');
  const [softmax, product] = given.graph.nodes;
  const overExamples = { ...softmax!, attributes: { axis: int(0) } };
  const mixing = { ...given, graph: { ...given.graph, nodes: [overExamples, product!] } };
  expect(openBatch(mixing, 1)).toBeDefined();
  expect(await forAnyBatch(mixing)).toEqual({ model: mixing, notes: [] });
  expect(() => bindModel(mixing, 'classification', 'm.onnx')).toThrow('fixed batch size of 1');
});
