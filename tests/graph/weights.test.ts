import { expect, test } from '@jest/globals';
import { float32Tensor, int64Tensor, type Node, type Tensor } from '../../graph/ir.ts';
import { weightNames } from '../../graph/weights.ts';

const node = (op: string, inputs: string[]): Node => ({
  name: op,
  op,
  domain: '',
  inputs,
  outputs: ['y'],
  attributes: {},
});

function namesOf(nodes: Node[], constants: Record<string, Tensor>, initializers = Object.keys(constants)): string[] {
  return weightNames(
    { name: 'g', inputs: [], outputs: [], nodes, constants: new Map(Object.entries(constants)) },
    initializers,
  );
}

const vector = (length: number) => float32Tensor([length], new Float32Array(length));

test('float32 initializers are weights; scalars, integers and Constant nodes are not', () => {
  const constants = { w: vector(3), table: vector(3), scalar: float32Tensor([], [1]), index: int64Tensor([2], [0, 1]) };
  expect(namesOf([], constants, ['w', 'scalar', 'index'])).toEqual(['w']);
});

test('a file without float32 initializers has its weights in Constant nodes', () => {
  expect(namesOf([], { w: vector(3), index: int64Tensor([2], [0, 1]) }, ['index'])).toEqual(['w']);
});

test('one element is a weight when somebody named it, such as the bias of one output', () => {
  expect(namesOf([], { 'fc.bias': vector(1), 'onnx::Mul_31': vector(1), 45: vector(1) })).toEqual(['fc.bias']);
});

test('one slope is a weight, whatever the exporter calls it', () => {
  const nodes = [node('PRelu', ['x', 'onnx::PRelu_12']), node('Mul', ['x', 'onnx::Mul_31'])];
  const constants = { w: vector(3), 'onnx::PRelu_12': vector(1), 'onnx::Mul_31': vector(1) };
  expect(namesOf(nodes, constants)).toEqual(['w', 'onnx::PRelu_12']);
});

test('scalars are weights where the exporter keeps the names of parameters', () => {
  const scalar = (value: number) => float32Tensor([], [value]);
  const constants = {
    w: vector(3),
    logit_scale: scalar(2.6),
    'blocks.0.alpha': scalar(0),
    'attn.masked_bias': scalar(-1e4),
  };
  const made = {
    'onnx::Mul_31': scalar(2),
    val_5: scalar(2),
    clamp_min: scalar(0),
    45: scalar(1),
    'add/y:0': scalar(1),
  };
  const all = { ...constants, ...made };
  const graph = { name: 'g', inputs: [], outputs: [], nodes: [], constants: new Map(Object.entries(all)) };
  expect(weightNames(graph, Object.keys(all), true)).toEqual(['w', 'logit_scale', 'blocks.0.alpha']);
  expect(weightNames(graph, Object.keys(all))).toEqual(['w']);
  const newer = { ...graph, nodes: [{ ...node('Add', ['w', 'w']), name: 'node_add' }] };
  expect(weightNames(newer, Object.keys(all), true)).toEqual(['w', 'blocks.0.alpha']);
});

test('masks of −∞ or of the least float32 are not weights', () => {
  const constants = {
    w: float32Tensor([2], [-1e9, 0]),
    infinite: float32Tensor([2], [0, Number.NEGATIVE_INFINITY]),
    least: float32Tensor([2], [0, -3.4028234663852886e38]),
  };
  expect(namesOf([], constants)).toEqual(['w']);
});

test('running statistics and scales of a resize are not weights', () => {
  const nodes = [node('BatchNormalization', ['x', 's', 'b', 'mean', 'var']), node('Resize', ['x', '', 'scales'])];
  const constants = { s: vector(3), b: vector(3), mean: vector(3), var: vector(3), scales: vector(4) };
  expect(namesOf(nodes, constants)).toEqual(['s', 'b']);
});
