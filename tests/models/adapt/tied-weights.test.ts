import { expect, test } from '@jest/globals';
import { float32Tensor, type Model, type Tensor } from '../../../graph/ir.ts';
import { adaptModel } from '../../../models/adapt/adapt.ts';
import { mergedNotes, tiedWeights } from '../../../models/adapt/tied-weights.ts';

const matrix = (rows: number, columns: number, data: number[]) => float32Tensor([rows, columns], data);

function withWeights(tensors: Record<string, Tensor>): Model {
  const constants = new Map(Object.entries(tensors));
  return {
    graph: { name: 'g', inputs: [], outputs: [], nodes: [], constants },
    opset: 17,
    weights: [...constants.keys()],
  };
}

test('an embedding and its transpose that the exporter folded are found, and said to be trained apart', () => {
  const model = withWeights({
    'wte.weight': matrix(2, 3, [1, 2, 3, 4, 5, 6]),
    'onnx::MatMul_591': matrix(3, 2, [1, 4, 2, 5, 3, 6]),
  });
  expect(tiedWeights(model)).toEqual([{ name: 'wte.weight', copy: 'onnx::MatMul_591' }]);
  expect(adaptModel(model).notes).toEqual([expect.stringMatching(/^'wte.weight' and .*do_constant_folding=False/)]);
});

test('so is a copy that was not transposed', () => {
  const square = matrix(2, 2, [1, 2, 3, 4]);
  expect(tiedWeights(withWeights({ 'e.weight': square, val_3: square }))).toHaveLength(1);
});

test('clones of a layer, other values, and matrices of one number are left alone', () => {
  const [a, b] = [matrix(2, 2, [1, 2, 3, 4]), matrix(2, 2, [0, 0, 0, 0])];
  expect(tiedWeights(withWeights({ 'l.0.weight': a, 'l.1.weight': a }))).toEqual([]);
  expect(tiedWeights(withWeights({ 'onnx::MatMul_1': a, 'onnx::MatMul_2': a }))).toEqual([]);
  expect(tiedWeights(withWeights({ 'l.weight': b, 'onnx::MatMul_1': b }))).toEqual([]);
  expect(tiedWeights(withWeights({ 'l.weight': a, 'onnx::MatMul_1': matrix(2, 2, [1, 2, 4, 3]) }))).toEqual([]);
});

test('a weight that the file gives two names is said to be trained as one', () => {
  const model = withWeights({ 'wte.weight': matrix(2, 2, [1, 2, 3, 4]), 'l.bias': matrix(1, 2, [1, 2]) });
  const identity = (from: string, to: string) => ({
    name: to,
    op: 'Identity',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: {},
  });
  const nodes = [identity('wte.weight', 'head.weight'), identity('x', 'y')];
  expect(mergedNotes({ ...model, graph: { ...model.graph, nodes } })).toEqual([
    expect.stringMatching(
      /^'head.weight' is 'wte.weight' in the file, and they are trained as one; .* export it again/,
    ),
  ]);
});
