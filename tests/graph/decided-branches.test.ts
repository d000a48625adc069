import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parseGradientCase } from '../../cli/gradient-case.ts';
import { modelGradients } from '../../cli/model-gradients.ts';
import { decideBranches, readModel } from '../../graph/decided-branches.ts';
import { type Dim, type Graph, int64Tensor, type Model, type Node } from '../../graph/ir.ts';
import { readModelFile } from '../../graph/onnx/read.ts';

const node = (op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): Node => ({
  name: `/${op}`,
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes,
});
const graph = (nodes: readonly Node[], output: string, constants: Graph['constants'] = new Map()): Graph => ({
  name: 'g',
  inputs: [],
  outputs: [{ name: output, dtype: 'float32', shape: [] }],
  nodes,
  constants,
});

/** x [batch, size, 3] without its second axis where that is 1, or as it is. */
function choice(size: Dim, condition: readonly Node[] = sizeIsOne): Model {
  const axis = new Map([['axis', int64Tensor([1], [1])]]);
  const branches = {
    then_branch: { kind: 'graph', value: graph([node('Squeeze', ['x', 'axis'], 'squeezed')], 'squeezed', axis) },
    else_branch: { kind: 'graph', value: graph([], 'x') },
  } as const;
  const nodes = [...condition, node('If', ['is one'], 'chosen', branches), node('Relu', ['chosen'], 'y')];
  const one = int64Tensor([], [1]);
  return {
    graph: {
      ...graph(nodes, 'y', new Map([['one', one]])),
      inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', size, 3] }],
    },
    opset: 17,
    weights: [],
  };
}

const sizeIsOne = [
  node('Shape', ['x'], 'shape'),
  node('Gather', ['shape', 'one'], 'size'),
  node('Equal', ['size', 'one'], 'is one'),
];

test.each<[string, Dim, readonly string[]]>([
  ['of a size of 1', 1, ['Shape', 'Gather', 'Equal', 'Squeeze', 'Identity', 'Relu']],
  ['of another', 2, ['Shape', 'Gather', 'Equal', 'Identity', 'Relu']],
])('the branch is taken that shapes decide for: %s', (_, size, operators) => {
  const { graph } = decideBranches(choice(size));
  expect(graph.nodes.map(({ op }) => op)).toEqual(operators);
  expect(graph.nodes.at(-1)!.inputs).toEqual(['chosen']);
  const produced = new Set(['x', ...graph.constants.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  for (const { inputs } of graph.nodes) expect(inputs.filter((name) => !produced.has(name))).toEqual([]);
});

test.each<[string, Model]>([
  ['of an open size', choice('frames')],
  ['that depends on data', choice(1, [node('ReduceMax', ['x'], 'most'), node('Greater', ['most', 'one'], 'is one')])],
])('a choice %s stays', (_, model) => {
  expect(decideBranches(model)).toBe(model);
});

test('a model without choices is the same', () => {
  const { graph, ...others } = choice(1);
  const model = { ...others, graph: { ...graph, nodes: sizeIsOne } };
  expect(decideBranches(model)).toBe(model);
});

describe.each(['last-frame.onnx', 'last-frame.folded.onnx'])('%s, a squeezed axis from PyTorch', (file) => {
  const folder = fileURLToPath(new URL('../fixtures/fresh/', import.meta.url));
  const expected = JSON.parse(readFileSync(`${folder}last-frame.json`, 'utf8'));

  test('has a choice, and PyTorch’s loss and gradients of the output layer', async () => {
    expect(readModelFile(folder + file).graph.nodes.map(({ op }) => op)).toContain('If');
    const found = await modelGradients(readModel(folder + file), parseGradientCase(expected.case, file), file);
    expect(found.loss).toBeCloseTo(expected.loss, 5);
    for (const name of ['output.weight', 'output.bias']) {
      const { data } = found.gradients[name]!;
      for (const [i, value] of expected.gradients[name].data.entries()) expect(data[i]).toBeCloseTo(value, 5);
    }
  });
});
