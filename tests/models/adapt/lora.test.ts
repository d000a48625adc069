import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { type GradientCase, parseGradientCase } from '../../../cli/gradient-case.ts';
import { type ModelGradients, modelGradients } from '../../../cli/model-gradients.ts';
import { ConfigError } from '../../../errors.ts';
import { GraphBuilder } from '../../../graph/builder.ts';
import { layersOf } from '../../../graph/forward.ts';
import { float, float32Tensor, int, type Model } from '../../../graph/ir.ts';
import { decodeModel, readModelFile } from '../../../graph/onnx/read.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { parametersOf, withParameters } from '../../../graph/parameters.ts';
import { type AdaptedModel, adaptModel } from '../../../models/adapt/adapt.ts';
import { trainConfig } from '../../../models/config.ts';
import { ParameterLayout } from '../../../params/layout.ts';
import { namedStream } from '../../../random/stream.ts';

/** Exported by PyTorch: matrices of Gemm with transB, of MatMul (some behind a Transpose), of attention; and embeddings. */
const fixtures = [
  'mlp.opset17.folded',
  'vision-transformer.opset13',
  'vision-transformer.opset17.folded',
  'character-decoder.opset14',
  'conformer.opset17.folded',
];

interface Fixture {
  readonly model: Model;
  readonly given: GradientCase;
  readonly expected: ModelGradients;
}

function fixture(name: string): Fixture {
  const path = fileURLToPath(new URL(`../../fixtures/models/${name}`, import.meta.url));
  const { case: given, ...expected } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
  return { model: readModelFile(`${path}.onnx`), given: parseGradientCase(given, name), expected };
}

const lora = { rank: 3, alpha: 6 };
const adapt = (model: Model, train: unknown = { lora }): AdaptedModel =>
  adaptModel(model, { train: trainConfig.parse(train) }, 'lora test');
const layoutOf = (model: Model) => new ParameterLayout(layersOf(model));

/** Adapters as training could leave them: none of them zero. */
function trainedParameters({ model }: AdaptedModel): Float32Array {
  const stream = namedStream('lora test', 'adapters');
  return parametersOf(model, layoutOf(model)).map((value) => value + 0.2 * (2 * stream.uniform() - 1));
}

async function outputOf(model: Model, { inputs, loss }: GradientCase): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(encodeModel(model), {
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  });
  const feeds = Object.entries(inputs).map(([name, { dims, type, data }]) => {
    const array = type === 'int64' ? BigInt64Array.from(data, BigInt) : Float32Array.from(data);
    return [name, new ort.Tensor(type, array, dims)] as const;
  });
  return (await session.run(Object.fromEntries(feeds)))[loss.output]!.data as Float32Array;
}

function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  const largest = Math.max(...values.map(Math.abs));
  return Math.max(...values.map((value, i) => Math.abs(found[i]! - value))) / largest;
}

describe.each(fixtures)('LoRA on %s', (name) => {
  const { model, given, expected } = fixture(name);
  const adapted = adapt(model);

  test('the layout holds adapters and nothing else', () => {
    const layers = layersOf(adapted.model);
    expect(layers.length).toBeGreaterThan(3);
    expect(layers.filter((layer) => !/\.lora_[AB]$/.test(layer.name))).toEqual([]);
    for (const [i, { shape }] of layers.entries()) expect(shape[i % 2 === 0 ? 1 : 0]).toBe(3);
    const whole = model.weights.reduce((sum, weight) => sum + model.graph.constants.get(weight)!.data.length, 0);
    expect({ trained: adapted.trained, frozen: adapted.frozen }).toEqual({
      trained: layoutOf(adapted.model).size,
      frozen: whole,
    });
  });

  test('fresh adapters change nothing', async () => {
    expect(await outputOf(adapted.model, given)).toEqual(await outputOf(model, given));
  });

  test("fresh adapters get the gradient that follows from PyTorch's: none for A, (alpha / rank) · Aᵀ · dW for B", async () => {
    const { gradients } = await modelGradients(adapted.model, given, name);
    expect(Object.keys(gradients)).toEqual(layersOf(adapted.model).map((layer) => layer.name));
    for (const [layer, { data, dims }] of Object.entries(gradients)) {
      if (layer.endsWith('.lora_A')) {
        expect(data.every((value) => value === 0)).toBe(true);
        continue;
      }
      const [rank, to] = dims as [number, number];
      const a = adapted.model.graph.constants.get(layer.replace(/B$/, 'A'))!;
      const from = a.dims[0]!;
      const w = expected.gradients[layer.replace(/\.lora_B$/, '')]!;
      // Square matrices could be either way: the better of the two counts there.
      const ways = [true, false].filter((turned) => w.dims[0] === (turned ? to : from));
      const errors = ways.map((turned) => {
        const product = Array.from({ length: rank * to }, (_, at) => {
          const [k, j] = [Math.floor(at / to), at % to];
          let sum = 0;
          for (let i = 0; i < from; i++)
            sum += (a.data as Float32Array)[i * rank + k]! * w.data[turned ? j * from + i : i * to + j]!;
          return (lora.alpha / lora.rank) * sum;
        });
        return relativeError(data, product);
      });
      expect(Math.min(...errors)).toBeLessThan(1e-4);
    }
  });

  test('gradients of trained adapters equal finite differences', async () => {
    const layout = layoutOf(adapted.model);
    const parameters = trainedParameters(adapted);
    const at = async (moved: Float32Array) => modelGradients(withParameters(adapted.model, layout, moved), given, name);
    const { gradients } = await at(parameters);
    const flat = layout.layers.flatMap((layer) => gradients[layer.name]!.data);
    const size = Math.hypot(...flat);
    for (const direction of [1, 2]) {
      const stream = namedStream('lora test', 'direction', direction);
      // Along a random direction with a part of the gradient, so that the slope is well above the rounding of the loss.
      const along = flat.map((value) => value / size + (2 * stream.uniform() - 1) / Math.sqrt(flat.length));
      const slope = flat.reduce((sum, value, i) => sum + value * along[i]!, 0);
      const moved = async (step: number) => (await at(parameters.map((value, i) => value + step * along[i]!))).loss;
      const h = 0.02;
      const near = (await moved(h)) - (await moved(-h));
      const far = (await moved(2 * h)) - (await moved(-2 * h));
      // Fourth order; what is left is the rounding of float32 losses, about 1e-7 · loss / h.
      expect(((8 * near - far) / (12 * h) - slope) / slope).toBeCloseTo(0, 3);
    }
  });

  test('merged into the weights they give the same outputs, in the file as it came', async () => {
    const parameters = trainedParameters(adapted);
    const layout = layoutOf(adapted.model);
    const merged = adapted.finish(layout, parameters);
    expect(merged.weights).toEqual(model.weights);
    expect(merged.graph.nodes).toEqual(model.graph.nodes);
    expect([...merged.graph.constants.keys()]).toEqual([...model.graph.constants.keys()]);
    const kept = adapt(model, { lora: { ...lora, write: 'adapters' } }).finish(layout, parameters);
    const beside = decodeModel(encodeModel(kept), 'model.onnx');
    expect(beside.weights).toEqual([...model.weights, ...adapted.model.weights]);
    const outputs = await outputOf(beside, given);
    expect(relativeError(await outputOf(merged, given), outputs)).toBeLessThan(1e-5);
    expect(relativeError(await outputOf(model, given), outputs)).toBeGreaterThan(1e-3);
  });
});

describe('products of every spelling', () => {
  /** y = 2 · (xᵀ)ᵀ·W + ... in each form a matrix can be used in; z of a shared matrix. */
  function spelled(): Model {
    const b = new GraphBuilder();
    const stream = namedStream('lora test', 'spelled');
    const weights: string[] = [];
    const weight = (name: string, ...dims: number[]) => {
      weights.push(name);
      const count = dims.reduce((a, c) => a * c, 1);
      return b.constant(
        float32Tensor(
          dims,
          Float32Array.from({ length: count }, () => stream.uniform() - 0.5),
        ),
        name,
      );
    };
    const x = b.input('x', 'float32', [4, 5]);
    const flipped = { transA: int(1), transB: int(1), alpha: float(2), beta: float(0.5) };
    const turned = b.op('Transpose', [x]);
    const first = b.op('Gemm', [turned, weight('gemm', 6, 5), weight('bias', 6)], flipped);
    const shared = weight('shared', 6, 6);
    const second = b.op('MatMul', [b.op('MatMul', [first, shared]), shared]);
    const third = b.op('MatMul', [second, b.op('Transpose', [weight('stored', 3, 6)])]);
    const both = weight('both', 3, 3);
    const fourth = b.op('MatMul', [b.op('MatMul', [third, both]), b.op('Transpose', [both])]);
    const left = b.op('MatMul', [weight('left', 2, 4), fourth]);
    b.op('Mul', [left, weight('factor', 2, 3)], {}, { outputNames: ['y'] });
    return { graph: b.build('spelled', ['y']), opset: 21, weights };
  }

  const given = parseGradientCase(
    {
      inputs: { x: { dims: [4, 5], type: 'float32', data: Array.from({ length: 20 }, (_, i) => Math.sin(i)) } },
      loss: { kind: 'mse', output: 'y', target: { dims: [2, 3], type: 'float32', data: [1, 2, 3, 4, 5, 6] } },
    },
    'spelled',
  );

  test('right operands are adapted, whichever way they are stored; others are left alone', () => {
    expect(adapt(spelled()).model.weights).toEqual(
      ['gemm', 'shared', 'stored'].flatMap((n) => [`${n}.lora_A`, `${n}.lora_B`]),
    );
  });

  test('merging gives what the adapters give', async () => {
    const model = spelled();
    const [layout, parameters] = [layoutOf(adapt(model).model), trainedParameters(adapt(model))];
    const outputs = await Promise.all(
      ['merged', 'adapters'].map((write) =>
        outputOf(adapt(model, { lora: { ...lora, write } }).finish(layout, parameters), given),
      ),
    );
    expect(relativeError(outputs[0]!, outputs[1]!)).toBeLessThan(1e-5);
    expect(relativeError(await outputOf(model, given), outputs[1]!)).toBeGreaterThan(1e-2);
  });

  test.each([
    [{ lora: { rank: 2, targets: ['both'] } }, /'both' fits 'both', which is not .* alone; layers that are: 'gemm'/],
    [{ lora: { rank: 2, targets: ['shard'] } }, /^train\.lora\.targets: 'shard' fits no layer .* 'shared'/],
    [
      { lora: { rank: 2, targets: ['gemm'] }, exclude: ['gemm'] },
      /^train\.lora\.targets: every layer they fit is excluded/,
    ],
    [{ lora: { rank: 2 }, include: ['bais'] }, /^train\.include: 'bais' fits no layer/],
  ])('%j is refused', (train, message) => {
    expect(() => adapt(spelled(), train)).toThrow(ConfigError);
    expect(() => adapt(spelled(), train)).toThrow(message);
  });

  test('included layers are trained whole, and get no adapter; excluded ones stay', () => {
    const { model, lora: words } = adapt(spelled(), {
      lora: { rank: 2 },
      include: ['bias', 'shared', 'factor'],
      exclude: ['factor', 'stored'],
    });
    expect(model.weights).toEqual(['gemm.lora_A', 'gemm.lora_B', 'bias', 'shared']);
    expect(words).toMatch(/^LoRA of rank 2 \(alpha 2\) on 1 matrix, beside 2 layers trained whole/);
  });

  test('adapters depend on the seed and the name alone; a model that has them takes no more', () => {
    const a = (seed: number, train: unknown) =>
      adaptModel(spelled(), { train: trainConfig.parse(train) }, seed).model.graph.constants.get('shared.lora_A')!.data;
    expect(a(1, { lora })).toEqual(a(1, { lora: { ...lora, targets: ['shared'] } }));
    expect(a(1, { lora })).not.toEqual(a(2, { lora }));
    const { model, finish } = adapt(spelled(), { lora: { ...lora, write: 'adapters' } });
    const written = finish(layoutOf(model), parametersOf(model, layoutOf(model)));
    expect(() => adapt(written, { lora: { rank: 2, targets: ['gemm'] } })).toThrow(/'gemm' has adapters already/);
    expect(adapt(written, { include: ['*.lora_?'] }).model.weights).toEqual(model.weights);
  });
});
