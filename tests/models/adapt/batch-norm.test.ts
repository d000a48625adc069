import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { parseGradientCase } from '../../../cli/gradient-case.ts';
import { type ModelGradients, modelGradients } from '../../../cli/model-gradients.ts';
import { ModelError } from '../../../errors.ts';
import { float32Tensor, type Graph, int, int64Tensor, type Model, type Node } from '../../../graph/ir.ts';
import { readModelFile } from '../../../graph/onnx/read.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { settleBatchNorm } from '../../../models/adapt/batch-norm.ts';
import { groupCount } from '../../../models/adapt/group-norm.ts';
import { namedStream } from '../../../random/stream.ts';

const draws = (name: string, count: number) => {
  const stream = namedStream('batch norm', name);
  return Float32Array.from({ length: count }, () => 2 * stream.uniform() - 1);
};

interface Settings {
  readonly channels: number;
  readonly spatial?: readonly number[];
  readonly trained?: boolean;
  readonly opset?: number;
  readonly trainingMode?: boolean;
}

/** y = BatchNormalization(x) with random scale and bias. */
function normalising({ channels, spatial = [3, 2], trained = false, opset = 17, trainingMode }: Settings): Model {
  const vector = (values: Float32Array) => float32Tensor([channels], values);
  const fresh = (value: number) => vector(new Float32Array(channels).fill(value));
  const node: Node = {
    name: '/norm/BatchNormalization',
    op: 'BatchNormalization',
    domain: '',
    inputs: ['x', 'norm.weight', 'norm.bias', 'norm.running_mean', 'norm.running_var'],
    outputs: trainingMode ? ['y', 'new_mean', 'new_var'] : ['y'],
    attributes: { epsilon: { kind: 'float', value: 1e-3 }, ...(trainingMode ? { training_mode: int(1) } : {}) },
  };
  const shape = ['batch', channels, ...spatial];
  const graph: Graph = {
    name: 'g',
    inputs: [{ name: 'x', dtype: 'float32', shape }],
    outputs: [{ name: 'y', dtype: 'float32', shape }],
    nodes: [node],
    constants: new Map([
      ['norm.weight', vector(draws('scale', channels))],
      ['norm.bias', vector(draws('bias', channels))],
      ['norm.running_mean', trained ? vector(draws('mean', channels)) : fresh(0)],
      ['norm.running_var', trained ? vector(draws('variance', channels).map(Math.abs)) : fresh(1)],
    ]),
  };
  return { graph, opset, weights: ['norm.weight', 'norm.bias'] };
}

async function outputOf(model: Model, x: Float32Array, dims: readonly number[]): Promise<number[]> {
  const session = await ort.InferenceSession.create(encodeModel(model), { intraOpNumThreads: 1, logSeverityLevel: 4 });
  const { y } = await session.run({ x: new ort.Tensor('float32', x, dims) });
  return Array.from(y!.data as Float32Array);
}

/** Wu & He, arXiv:1803.08494, written out in float64. */
function groupNorm(model: Model, x: Float32Array, [batch, channels]: readonly number[], groups: number): number[] {
  const scale = model.graph.constants.get('norm.weight')!.data as Float32Array;
  const bias = model.graph.constants.get('norm.bias')!.data as Float32Array;
  const [perExample, perChannel] = [x.length / batch!, x.length / batch! / channels!];
  const perGroup = perExample / groups;
  return Array.from(x, (value, i) => {
    const start = Math.floor(i / perGroup) * perGroup;
    const group = Array.from(x.subarray(start, start + perGroup));
    const mean = group.reduce((sum, each) => sum + each, 0) / perGroup;
    const variance = group.reduce((sum, each) => sum + (each - mean) ** 2, 0) / perGroup;
    const channel = Math.floor((i % perExample) / perChannel);
    return ((value - mean) / Math.sqrt(variance + 1e-3)) * scale[channel]! + bias[channel]!;
  });
}

const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 4));

describe('the number of groups', () => {
  test.each([
    [1, 1],
    [15, 1],
    [16, 2],
    [20, 2],
    [24, 3],
    [64, 8],
    [96, 12],
    [256, 32],
    [1000, 25],
    [2048, 32],
    [127, 1],
  ])('%i channels: %i', (channels, groups) => {
    expect(groupCount(channels)).toBe(groups);
  });

  test('always divides the channels', () => {
    for (let channels = 1; channels < 600; channels++) expect(channels % groupCount(channels)).toBe(0);
  });
});

describe('what becomes of BatchNormalization', () => {
  test('a file with trained statistics keeps them, a fresh one gets GroupNorm, and both say why', () => {
    const fresh = settleBatchNorm(normalising({ channels: 4 })).choice!;
    expect(fresh).toMatchObject({ handling: 'group', nodes: 1 });
    expect(fresh.words).toMatch(/^1 BatchNormalization node became GroupNorm; the file carries no trained statistics/);
    const trained = settleBatchNorm(normalising({ channels: 4, trained: true })).choice!;
    expect(trained.handling).toBe('freeze');
    expect(trained.words).toMatch(/keep the stored statistics; the file carries trained statistics$/);
  });

  test('the setting overrules that', () => {
    expect(settleBatchNorm(normalising({ channels: 4 }), 'freeze').choice).toMatchObject({ handling: 'freeze' });
    const { choice } = settleBatchNorm(normalising({ channels: 4, trained: true }), 'group');
    expect(choice!.words).toMatch(/became GroupNorm, as model.batchNorm says; the file carries trained statistics/);
  });

  test('a model without it stays the same', () => {
    const model = normalising({ channels: 4 });
    const other = {
      ...model,
      graph: { ...model.graph, nodes: [{ ...model.graph.nodes[0]!, op: 'Identity', inputs: ['x'] }] },
    };
    expect(settleBatchNorm(other)).toEqual({ model: other });
  });
});

describe('group', () => {
  test.each([
    { channels: 16, spatial: [3, 2], opset: 11 },
    { channels: 6, spatial: [5], opset: 17 },
    { channels: 32, spatial: [], opset: 13 },
    { channels: 24, spatial: [2, 2, 2], opset: 21 },
  ])('normalises over groups of channels: %j', async (settings) => {
    const { model } = settleBatchNorm(normalising(settings));
    const dims = [2, settings.channels, ...settings.spatial];
    const x = draws(
      'x',
      dims.reduce((a, b) => a * b, 1),
    );
    expect(await outputOf(model, x, dims)).toEqual(close(groupNorm(model, x, dims, groupCount(settings.channels))));
  });

  test('scale and bias are trained as before, and no statistics are left in the file', () => {
    const { model } = settleBatchNorm(normalising({ channels: 16 }));
    expect(model.weights).toEqual(['norm.weight', 'norm.bias']);
    expect([...model.graph.constants.keys()].filter((name) => name.includes('running'))).toEqual([]);
  });

  test('its gradients are those of finite differences', async () => {
    const { model } = settleBatchNorm(normalising({ channels: 16 }));
    const dims = [2, 16, 3, 2];
    const data = Array.from(draws('x', 192));
    const target = { dims, type: 'float32' as const, data: Array.from(draws('target', 192)) };
    const given = {
      inputs: { x: { dims, type: 'float32' as const, data } },
      loss: { kind: 'mse' as const, output: 'y', target },
    };
    const { gradients } = await modelGradients(model, given, 'case');
    for (const [name, { data: gradient }] of Object.entries(gradients)) {
      const at = async (i: number, offset: number) => {
        const tensor = model.graph.constants.get(name)!;
        const moved = Float32Array.from(tensor.data as Float32Array);
        moved[i] = moved[i]! + offset;
        const constants = new Map(model.graph.constants).set(name, { ...tensor, data: moved });
        return (await modelGradients({ ...model, graph: { ...model.graph, constants } }, given, 'case')).loss;
      };
      // The loss is quadratic in scale and bias: a central difference with a large step is exact but for rounding.
      for (const i of [0, 7, 15]) {
        expect(gradient[i]).toBeCloseTo(((await at(i, 0.5)) - (await at(i, -0.5))) / 1, 5);
      }
    }
  });
});

describe('training mode', () => {
  // scripts/fixtures/export_batch_norm.py: the exporter's own pass has moved the statistics from 0 and 1.
  const path = fileURLToPath(new URL('../../fixtures/batch-norm', import.meta.url));
  const { case: given, ...expected } = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as ModelGradients & {
    case: unknown;
  };

  test('an export of PyTorch trains as its twin with GroupNorm does in PyTorch', async () => {
    const { model, choice } = settleBatchNorm(readModelFile(`${path}.onnx`));
    expect(choice).toMatchObject({ handling: 'group', nodes: 3 });
    const { loss, gradients } = await modelGradients(model, parseGradientCase(given, 'case'), 'case');
    expect(loss).toBeCloseTo(expected.loss, 5);
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(expected.gradients).sort());
    for (const [name, { data }] of Object.entries(expected.gradients)) {
      const largest = Math.max(...data.map(Math.abs));
      const error = Math.max(...data.map((value, i) => Math.abs(value - gradients[name]!.data[i]!))) / largest;
      expect({ name, close: error < 1e-5 }).toEqual({ name, close: true });
    }
  });

  test('trained statistics are told from those of one pass', () => {
    const trained = normalising({ channels: 4, trained: true, trainingMode: true });
    expect(settleBatchNorm(trained).choice!.handling).toBe('freeze');
  });

  test('freeze uses the stored statistics', async () => {
    const settings = { channels: 4, trained: true };
    const dims = [2, 4, 3, 2];
    const x = draws('x', 48);
    const { model } = settleBatchNorm(normalising({ ...settings, trainingMode: true }), 'freeze');
    expect(await outputOf(model, x, dims)).toEqual(await outputOf(normalising(settings), x, dims));
  });

  test('group does not need them', () => {
    const { model, choice } = settleBatchNorm(normalising({ channels: 4, trainingMode: true }));
    expect(choice!.handling).toBe('group');
    expect(model.graph.nodes.flatMap(({ outputs }) => outputs)).not.toContain('new_mean');
  });

  test.each(['freeze', 'group'] as const)('statistics that are handed on are refused by name (%s)', (handling) => {
    const model = normalising({ channels: 4, trainingMode: true });
    const outputs = [...model.graph.outputs, { name: 'new_mean', dtype: 'float32' as const, shape: [4] }];
    const settle = () => settleBatchNorm({ ...model, graph: { ...model.graph, outputs } }, handling);
    expect(settle).toThrow(ModelError);
    expect(settle).toThrow(/'\/norm\/BatchNormalization'.*export the model in eval mode/);
  });
});

/** y = x · standardised(w), a 1 × 1 kernel as a matrix of [inputs, filters]. */
function standardising(shape: readonly number[]): Model {
  const node = (op: string, inputs: string[], outputs: string[], attributes: Node['attributes'] = {}): Node => ({
    name: op === 'BatchNormalization' ? '/BatchNormalization' : `${op}_${outputs[0]}`,
    op,
    domain: '',
    inputs,
    outputs,
    attributes,
  });
  const ones = float32Tensor([4], [1, 1, 1, 1]);
  const zeros = float32Tensor([4], [0, 0, 0, 0]);
  const graph: Graph = {
    name: 'g',
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 3] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['batch', 4] }],
    nodes: [
      node('Reshape', ['conv.weight', 'laid_out'], ['one']),
      node('Sqrt', ['onnx::Sqrt_3'], ['idle']),
      node(
        'BatchNormalization',
        ['one', 'onnx::BN_1', 'onnx::BN_2', 'onnx::BN_2', 'onnx::BN_1'],
        ['normal', 'm', 'v'],
        {
          training_mode: int(1),
          epsilon: { kind: 'float', value: 1e-3 },
        },
      ),
      node('Reshape', ['normal', 'flat'], ['kernel']),
      node('Transpose', ['kernel'], ['matrix']),
      node('MatMul', ['x', 'matrix'], ['y']),
    ],
    constants: new Map([
      ['conv.weight', float32Tensor([4, 3], draws('kernel', 12))],
      ['onnx::BN_1', ones],
      ['onnx::Sqrt_3', ones],
      ['onnx::BN_2', zeros],
      ['laid_out', int64Tensor([3], shape)],
      ['flat', int64Tensor([2], [4, 3])],
    ]),
  };
  return { graph, opset: 17, weights: ['conv.weight', 'onnx::BN_1', 'onnx::BN_2', 'onnx::Sqrt_3'] };
}

describe('weight standardisation by a BatchNormalization over kernels', () => {
  test.each([undefined, 'group', 'freeze'] as const)(
    'is computed as it is (%s), and adds no weights',
    async (wanted) => {
      const model = standardising([1, 4, -1]);
      const settled = settleBatchNorm(model, wanted);
      expect(settled.choice).toBeUndefined();
      expect(settled.model.weights).toEqual(['conv.weight']);
      const x = draws('x', 6);
      const expected = await outputOf(model, x, [2, 3]);
      const got = await outputOf(settled.model, x, [2, 3]);
      // float32, sums of 3.
      for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
    },
  );

  test('is refused where the kernels are no single example', () => {
    expect(() => settleBatchNorm(standardising([3, 4, 1]))).toThrow(ModelError);
    expect(() => settleBatchNorm(standardising([3, 4, 1]))).toThrow(
      /^node '\/BatchNormalization' \(BatchNormalization\) normalises weights in training mode.*export the model again$/,
    );
  });
});
