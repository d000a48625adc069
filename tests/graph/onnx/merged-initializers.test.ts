import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parseGradientCase } from '../../../cli/gradient-case.ts';
import { modelGradients } from '../../../cli/model-gradients.ts';
import { float32Tensor, type Graph, type Tensor } from '../../../graph/ir.ts';
import { separateInitializers } from '../../../graph/onnx/merged-initializers.ts';
import { readModelFile } from '../../../graph/onnx/read.ts';

/** What scripts/fixtures/export_fresh.py writes. */
interface Fresh {
  readonly case: unknown;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, { readonly data: readonly number[] }>>;
}

const folder = fileURLToPath(new URL('../../fixtures/fresh/', import.meta.url));
const norm = ({ data }: { readonly data: readonly number[] }) => Math.hypot(...data);

describe.each(['cloned-encoder', 'siamese'])('%s, exported before any training', (name) => {
  const fresh = JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Fresh;
  const gradientsOf = (file: string) =>
    modelGradients(readModelFile(folder + file), parseGradientCase(fresh.case, file), file);

  test('has the parameters of the model, each with PyTorch’s gradient', async () => {
    const { loss, gradients } = await gradientsOf(`${name}.onnx`);
    expect(loss).toBeCloseTo(fresh.loss, 5);
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(fresh.gradients).sort());
    for (const [parameter, expected] of Object.entries(fresh.gradients)) {
      const { data } = gradients[parameter]!;
      const off = Math.max(...expected.data.map((value, i) => Math.abs(value - data[i]!)));
      expect({ parameter, isRight: off < 1e-4 * norm(expected) + 1e-8 }).toEqual({ parameter, isRight: true });
    }
  });

  test('has as many, with the same gradients, where the exporter turned matrices around', async () => {
    const { gradients } = await gradientsOf(`${name}.folded.onnx`);
    const norms = (all: Readonly<Record<string, { readonly data: readonly number[] }>>) =>
      Object.values(all)
        .map(norm)
        .sort((a, b) => a - b);
    const [found, expected] = [norms(gradients), norms(fresh.gradients)];
    expect(found).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });
});

describe('a tensor that others are made of by Identity nodes', () => {
  const random = float32Tensor([2, 2], [1, 2, 3, 4]);
  const ones = float32Tensor([2], [1, 1]);

  /** MatMul nodes that read the first tensor and its copies, one each. */
  function graph(tensor: Tensor, names: readonly string[], nodes = names.map((_, i) => `/m${i}/MatMul`)): Graph {
    const [first, ...copies] = names as [string, ...string[]];
    const node = (op: string, name: string, inputs: readonly string[], output: string) => ({
      op,
      name,
      domain: '',
      inputs,
      outputs: [output],
      attributes: {},
    });
    return {
      name: 'g',
      inputs: [],
      outputs: [],
      constants: new Map([[first, tensor]]),
      nodes: [
        ...copies.map((copy) => node('Identity', `Identity_${copy}`, [first], copy)),
        ...nodes.map((name, i) => node('MatMul', name, ['x', names[i]!], `y${i}`)),
      ],
    };
  }
  const separated = (given: Graph) =>
    separateInitializers({ graph: given, initializers: [...given.constants.keys()] }).initializers;

  test.each<[string, Graph, number]>([
    ['ones', graph(ones, ['norm.weight', 'bn.running_var', 'head.scale']), 3],
    ['clones', graph(random, ['layers.0.fc.weight', 'layers.1.fc.weight']), 2],
    [
      'turned matrices of two modules',
      graph(random, ['onnx::MatMul_7', 'onnx::MatMul_8'], ['/l.0/fc/MatMul', '/l.1/fc/MatMul']),
      2,
    ],
  ])('is one of several parameters: %s', (_, given, count) => {
    expect(separated(given)).toHaveLength(count);
    const { graph: after } = separateInitializers({ graph: given, initializers: separated(given).slice(0, 1) });
    expect(after.nodes.map(({ op }) => op)).not.toContain('Identity');
    expect([...after.constants.keys()]).toEqual(separated(given));
  });

  test.each<[string, Graph]>([
    ['a tied embedding', graph(random, ['embedding.weight', 'head.weight'])],
    ['a named matrix and a folded one', graph(random, ['embedding.weight', 'onnx::MatMul_8'])],
    [
      'turned matrices of a module that is used twice',
      graph(random, ['onnx::MatMul_7', 'onnx::MatMul_8'], ['/fc/MatMul', '/fc_1/MatMul']),
    ],
    [
      'turned matrices read by nodes that say nothing',
      graph(random, ['onnx::MatMul_7', 'onnx::MatMul_8'], ['MatMul_1', 'MatMul_2']),
    ],
  ])('is one parameter: %s', (_, given) => {
    expect(separated(given)).toHaveLength(1);
    expect(separateInitializers({ graph: given, initializers: separated(given) }).graph).toBe(given);
  });

  test('a module whose name ends like that of a repeated one is known by its bias', () => {
    const given = graph(random, ['onnx::MatMul_7', 'onnx::MatMul_8'], ['/fc/MatMul', '/fc_1/MatMul']);
    const constants = new Map([...given.constants, ['fc_1.bias', ones]]);
    expect(separated({ ...given, constants })).toContain('onnx::MatMul_8');
  });
});
