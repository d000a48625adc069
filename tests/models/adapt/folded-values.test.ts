import { expect, test } from '@jest/globals';
import { float32Tensor, type Model, type Node } from '../../../graph/ir.ts';
import { adaptModel } from '../../../models/adapt/adapt.ts';
import { foldedValues } from '../../../models/adapt/folded-values.ts';
import { trainConfig } from '../../../models/config.ts';

const node = (op: string, inputs: string[]): Node => ({
  name: op,
  op,
  domain: '',
  inputs,
  outputs: [op],
  attributes: {},
});

function withWeights(names: readonly string[], nodes: Node[] = []): Model {
  const constants = new Map(names.map((name, i) => [name, float32Tensor([2], [i + 0.25, -i - 0.5])]));
  return { graph: { name: 'g', inputs: [], outputs: [], nodes, constants }, opset: 18, weights: names };
}

const parameters = ['blocks.0.norm.weight', 'blocks.0.norm.bias', 'cls_token', 'scale', 'embedding', 'blocks.0.add_1'];

test('values that the exporter computed are told by their names', () => {
  const computed = ['val_72', 'clamp_2', 'expand_1', 'arange', 'add_1', '_to_copy_3', 'lifted_tensor_0'];
  expect(foldedValues(withWeights([...parameters, ...computed]))).toEqual(computed);
});

test('a matrix, kernel or table that a layer reads is a weight, whatever it is called', () => {
  const nodes = [node('MatMul', ['x', 'val_3']), node('Conv', ['x', 'mul_1']), node('Gather', ['view', 'i'])];
  expect(foldedValues(withWeights(['a.bias', 'val_3', 'mul_1', 'view', 'val_4'], nodes))).toEqual(['val_4']);
});

test('where no parameter has a module path, nothing is taken for computed', () => {
  expect(foldedValues(withWeights(['w', 'add_1', 'val_2']))).toEqual([]);
});

test('they are not trained, which is said, unless train.include names them', () => {
  const model = withWeights(['a.weight', 'val_2']);
  const plain = adaptModel(model);
  expect({ trained: plain.model.weights, frozen: plain.frozen }).toEqual({ trained: ['a.weight'], frozen: 2 });
  expect(plain.notes).toEqual([expect.stringMatching(/^'val_2' is not trained: .*train\.include/)]);
  const all = adaptModel(model, { train: trainConfig.parse({ include: ['*'] }) });
  expect({ trained: all.model.weights, notes: all.notes }).toEqual({ trained: ['a.weight', 'val_2'], notes: [] });
});

test('scalars that may be parameters, and are not trained, are said', () => {
  const model = withWeights(['a.weight']);
  const numbers = ['logit_scale', 'value_cast', 'alpha', '/a/Constant_output_0', 'val_3'];
  const constants = new Map([
    ...model.graph.constants,
    ...numbers.map((name) => [name, float32Tensor([], [2])] as const),
  ]);
  const { notes } = adaptModel({ ...model, graph: { ...model.graph, constants } });
  expect(notes).toEqual([expect.stringMatching(/not trained: 'logit_scale'; /)]);
});
