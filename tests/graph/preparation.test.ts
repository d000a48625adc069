import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining, trainingNames } from '../../graph/compile.ts';
import type { Model } from '../../graph/ir.ts';
import { decodeModel } from '../../graph/onnx/read.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { splitPreparation } from '../../graph/preparation.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildMlp } from '../../models/mlp.ts';
import { ParameterLayout } from '../../params/layout.ts';

const imageShape = [3, 32, 32] as const;
// 16 · 14 · 14 · 72 = 225 792 weights of its dense layer: wide enough to be turned around.
const cnn = buildCnn({ kind: 'cnn', channels: [16, 16], hidden: 72, imageShape, classes: 4 }, 1);
const mlp = buildMlp({ kind: 'mlp', hidden: [8], imageShape, classes: 4 }, 1);

function compile(model: Model) {
  return compileTraining(model, bindModel(model, 'classification', 'test'), { batchSize: 5 });
}

async function run(onnx: Uint8Array, feeds: Record<string, ort.Tensor>) {
  return (await ort.InferenceSession.create(onnx)).run(feeds);
}

function feedsOf(model: Model, { layers }: ReturnType<typeof compile>): [layers: object, rest: object] {
  const layout = new ParameterLayout(layers);
  const parameters = parametersOf(model, layout);
  const weights = layout.layers.map((layer) => {
    const tensor = new ort.Tensor('float32', layout.view(parameters, layer).slice(), layer.shape);
    return [trainingNames.layer(layer.name), tensor];
  });
  const pixels = Float32Array.from({ length: 15 * 3072 }, (_, i) => Math.sin(i * i));
  return [
    Object.fromEntries(weights),
    {
      'data/image': new ort.Tensor('float32', pixels, [15, ...imageShape]),
      'data/label': new ort.Tensor(
        'int32',
        Int32Array.from({ length: 15 }, (_, i) => i % 4),
        [15],
      ),
      [trainingNames.order]: new ort.Tensor(
        'int32',
        Int32Array.from({ length: 15 }, (_, i) => (i * 7) % 15),
        [15],
      ),
      [trainingNames.offsets]: new ort.Tensor('int64', BigInt64Array.of(0n, 5n, 10n, 15n), [4]),
      [trainingNames.learningRate]: new ort.Tensor('float32', Float32Array.of(0.1), []),
      [trainingNames.maxGradientNorm]: new ort.Tensor('float32', Float32Array.of(1), []),
    },
  ];
}

describe('what a training graph computes of the layers alone', () => {
  const artifact = compile(cnn);
  const { preparation, step } = splitPreparation(artifact.onnx);
  const given = decodeModel(preparation!, 'preparation').graph.outputs.map(({ name }) => name);

  test('is the kernel in the order of its gradient, and the dense weight turned around', () => {
    const read = decodeModel(step, 'step').graph.inputs.map(({ name }) => name);
    expect(given).toHaveLength(2);
    expect(read).toEqual([...decodeModel(artifact.onnx, 'whole').graph.inputs.map(({ name }) => name), ...given]);
    const moves = decodeModel(preparation!, 'preparation').graph.nodes.map(({ op, inputs }) => [op, inputs[0]]);
    expect(moves).toContainEqual(['Transpose', 'parameters/dense.weight']);
    expect(moves.flat()).toContain('parameters/conv2.weight');
  });

  test('gives, put in, every output of the whole graph, bit by bit', async () => {
    const [layers, rest] = feedsOf(cnn, artifact);
    const whole = await run(artifact.onnx, { ...layers, ...rest });
    const prepared = await run(preparation!, { ...layers });
    const parts = await run(step, { ...layers, ...rest, ...prepared });
    expect(Object.keys(parts)).toEqual(Object.keys(whole));
    for (const name in whole) expect(parts[name]!.data).toEqual(whole[name]!.data);
    expect(whole['delta/dense.weight']!.data).not.toEqual(new Float32Array(225_792));
  });
});

test('a graph that computes nothing of the layers alone stays as it is', () => {
  const { onnx } = compile(mlp);
  expect(splitPreparation(onnx)).toEqual({ preparation: undefined, step: onnx });
});
