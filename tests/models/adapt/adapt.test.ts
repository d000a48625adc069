import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../errors.ts';
import { bindModel } from '../../../graph/binding.ts';
import { compileTraining } from '../../../graph/compile.ts';
import { layersOf } from '../../../graph/forward.ts';
import type { Graph } from '../../../graph/ir.ts';
import { decodeModel } from '../../../graph/onnx/read.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { adaptModel } from '../../../models/adapt/adapt.ts';
import { buildCnn } from '../../../models/cnn.ts';
import { trainConfig } from '../../../models/config.ts';
import { ParameterLayout } from '../../../params/layout.ts';

const cnn = buildCnn({ kind: 'cnn', channels: [4, 6], hidden: 8, imageShape: [3, 8, 8], classes: 5 }, 1);
const adapted = (train: unknown) => adaptModel(cnn, { train: trainConfig.parse(train) });
const layerNames = (train: unknown) => layersOf(adapted(train).model).map(({ name }) => name);

function stepOf(train: unknown): { layers: readonly string[]; graph: Graph; body: Graph } {
  const { model } = adapted(train);
  const { onnx, layers } = compileTraining(model, bindModel(model, 'classification', 'cnn'));
  const { graph } = decodeModel(onnx, 'step');
  const body = graph.nodes.find(({ op }) => op === 'Loop')!.attributes.body;
  if (body?.kind !== 'graph') throw new Error('the step has no loop');
  return { layers: layers.map(({ name }) => name), graph, body: body.value };
}

describe('selection of the layers to train', () => {
  test('includes all, and excludes none, by default', () => {
    expect(layerNames({})).toEqual(cnn.weights);
    expect(layerNames({ include: ['*.bias'] })).toEqual(['conv1.bias', 'conv2.bias', 'dense.bias', 'output.bias']);
    expect(layerNames({ include: ['dense.*', 'output.*'], exclude: ['*.bias'] })).toEqual([
      'dense.weight',
      'output.weight',
    ]);
  });

  test('counts trained and frozen parameters', () => {
    const { trained, frozen } = adapted({ include: ['output.*'] });
    expect({ trained, frozen }).toEqual({ trained: 8 * 5 + 5, frozen: 4 * 28 + 6 * 37 + 24 * 8 + 8 });
  });

  test.each([
    [{ include: ['dens.*'] }, /^train\.include: 'dens\.\*' fits no layer of the model; layers like it are 'dense\./],
    [{ exclude: ['*.mask'] }, /^train\.exclude: '\*\.mask' fits no layer/],
    [{ include: ['conv*'], exclude: ['*'] }, /^train: nothing is left to train: 'exclude' takes all 4 layers/],
  ])('%j is refused in one line', (train, message) => {
    expect(() => adapted(train)).toThrow(ConfigError);
    expect(() => adapted(train)).toThrow(message);
  });

  test('a weight whose name the exporter made up answers to the nodes that read it', () => {
    const { graph, opset } = cnn;
    const constants = new Map(
      [...graph.constants].map(([name, t]) => [name === 'dense.weight' ? 'onnx::Gemm_7' : name, t]),
    );
    const nodes = graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((name) => (name === 'dense.weight' ? 'onnx::Gemm_7' : name)),
    }));
    const renamed = {
      graph: { ...graph, nodes, constants },
      opset,
      weights: cnn.weights.map((name) => (name === 'dense.weight' ? 'onnx::Gemm_7' : name)),
    };
    const { model } = adaptModel(renamed, { train: { include: ['dense', 'output.weight'] } });
    expect(model.weights).toEqual(['onnx::Gemm_7', 'output.weight']);
  });
});

describe('frozen layers', () => {
  test('are constants of the step: no input, no output, no gradient', () => {
    const { layers, graph, body } = stepOf({ include: ['output.*'] });
    expect(layers).toEqual(['output.weight', 'output.bias']);
    expect(graph.inputs.filter(({ name }) => name.startsWith('parameters/')).map(({ name }) => name)).toEqual([
      'parameters/output.weight',
      'parameters/output.bias',
    ]);
    expect(graph.constants.get('conv1.weight')).toBeDefined();
    // Nothing is differentiated before the last layer.
    const differentiated = new Set(body.nodes.flatMap(({ name }) => /^grad\/([^/]+)/.exec(name)?.[1] ?? []));
    expect([...differentiated]).toEqual(['output']);
  });

  test('behind a trained one pass the gradient on, and get none', () => {
    const all = stepOf({}).body.nodes;
    const first = stepOf({ include: ['conv1.weight'] }).body.nodes;
    const differentiating = (nodes: typeof all, layer: string) =>
      nodes.filter(({ name }) => name.startsWith(`grad/${layer}/`)).length;
    expect(differentiating(first, 'conv2')).toBeGreaterThan(0);
    expect(differentiating(first, 'conv2')).toBeLessThan(differentiating(all, 'conv2'));
    expect(differentiating(first, 'conv1')).toBeGreaterThan(0);
    // The bias of conv1 is frozen as well, and no update is left but one.
    expect(differentiating(first, 'conv1')).toBeLessThan(differentiating(all, 'conv1'));
    const updates = first.filter(({ name, op }) => name.startsWith('update/') && op === 'Sub');
    expect(updates).toHaveLength(1);
  });

  test('are in the finished model, as initializers like the trained ones', () => {
    const { model, finish } = adapted({ include: ['output.*'] });
    const layout = new ParameterLayout(layersOf(model));
    const file = decodeModel(encodeModel(finish(layout, layout.allocate().fill(7))), 'model.onnx');
    expect(file.weights).toEqual(cnn.weights);
    expect([...new Set(file.graph.constants.get('output.weight')!.data as Float32Array)]).toEqual([7]);
    expect(file.graph.constants.get('conv1.weight')!.data).toEqual(cnn.graph.constants.get('conv1.weight')!.data);
  });
});
