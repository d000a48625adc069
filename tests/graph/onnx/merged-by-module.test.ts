import { describe, expect, test } from '@jest/globals';
import { float32Tensor, type Graph, type Tensor } from '../../../graph/ir.ts';
import { modulesOf, separateByModule } from '../../../graph/onnx/merged-by-module.ts';
import { decodeModel } from '../../../graph/onnx/read.ts';
import { modelProto } from '../../../graph/onnx/schema.ts';

const ones = float32Tensor([2], [1, 1]);
const random = float32Tensor([2], [1, 2]);

/** A graph whose nodes each read the tensor, in the modules given. */
function read(name: string, tensor: Tensor, modules: readonly string[]) {
  const nodes = modules.map((_, i) => ({
    name: `node_${i}`,
    op: 'Mul',
    domain: '',
    inputs: [i === 0 ? 'x' : `y${i - 1}`, name],
    outputs: [`y${i}`],
    attributes: {},
  }));
  const graph: Graph = { name: 'g', inputs: [], outputs: [], nodes, constants: new Map([[name, tensor]]) };
  return separateByModule(
    { graph, initializers: [name] },
    new Map(modules.map((module, i) => [`y${i}`, module] as const)),
  );
}

describe('a tensor that several modules read', () => {
  test('is one of each, where its values are one number', () => {
    const { graph, initializers } = read('norm1.weight', ones, ['norm1', 'norm2', 'layers.0.norm', 'norm2']);
    expect(initializers).toEqual(['norm1.weight', 'norm2.weight', 'layers.0.norm.weight']);
    expect([...graph.constants.keys()]).toEqual(initializers);
    expect(graph.nodes.map(({ inputs }) => inputs[1])).toEqual([0, 1, 2, 1].map((i) => initializers[i]));
  });

  test('is one of each where modules are clones', () => {
    expect(read('layers.0.fc.bias', random, ['layers.0.fc', 'layers.1.fc']).initializers).toHaveLength(2);
  });

  test('belongs to a module inside one that reads it', () => {
    const { initializers } = read('attention.out.bias', ones, ['attention', 'norm']);
    expect(initializers).toEqual(['attention.out.bias', 'norm.bias']);
  });

  test.each<[string, string, Tensor, readonly string[]]>([
    ['that is used twice', 'shared.bias', ones, ['shared', 'shared']],
    ['and that around it', 'block.norm.weight', ones, ['block.norm', 'block', '']],
    ['and of another name, with values of its own', 'embedding.weight', random, ['embedding', 'head']],
    ['none of which it belongs to', 'a.weight', ones, ['b', 'c']],
    ['of one element', 'a.weight', float32Tensor([1], [1]), ['a', 'b']],
  ])('is one of a module %s', (_, name, tensor, modules) => {
    expect(read(name, tensor, modules).initializers).toEqual([name]);
  });
});

test('two parameters that a module hands on by one name stay two', () => {
  const node = (inputs: string[], output: string) => ({
    name: output,
    op: 'Mul',
    domain: '',
    inputs,
    outputs: [output],
    attributes: {},
  });
  const long = float32Tensor([3], [1, 1, 1]);
  const graph: Graph = {
    name: 'g',
    inputs: [],
    outputs: [],
    nodes: [
      node(['x', 'a.bias'], 'p'),
      node(['y', 'b.bias'], 'q'),
      node(['p', 'a.bias'], 'r'),
      node(['q', 'b.bias'], 's'),
    ],
    constants: new Map([
      ['a.bias', ones],
      ['b.bias', long],
    ]),
  };
  const modules = new Map([
    ['p', 'a'],
    ['q', 'b'],
    ['r', 'm'],
    ['s', 'm'],
  ]);
  const { graph: after, initializers } = separateByModule({ graph, initializers: ['a.bias', 'b.bias'] }, modules);
  expect(initializers).toEqual(['a.bias', 'm.bias', 'b.bias', 'm.bias_2']);
  expect(after.nodes.slice(2).map(({ inputs }) => after.constants.get(inputs[1]!)!.dims)).toEqual([[2], [3]]);
});

const scoped = (module: string, input: string, weight: string, output: string) => ({
  opType: 'Mul',
  name: `node_${output}`,
  input: [input, weight],
  output: [output],
  metadataProps: [{ key: 'pkg.torch.onnx.name_scopes', value: `['', '${module}', 'mul']` }],
});

test('modules are read from what the exporter notes', () => {
  const nodes = [scoped('layers.0.norm', 'x', 'w', 'y'), { opType: 'Add', input: ['y', 'y'], output: ['z'] }];
  expect([...modulesOf(nodes)]).toEqual([['y', 'layers.0.norm']]);
});

test.each([
  ['pytorch', ['a.weight', 'b.weight']],
  ['another', ['a.weight']],
])('a file of %s has the weights %j', (producerName, expected) => {
  const value = (name: string) => ({
    name,
    type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'batch' }, { dimValue: 2 }] } } },
  });
  const proto = {
    irVersion: 8,
    producerName,
    opsetImport: [{ version: 18 }],
    graph: {
      name: 'g',
      node: [scoped('a', 'x', 'a.weight', 'h'), scoped('b', 'h', 'a.weight', 'y')],
      initializer: [{ name: 'a.weight', dims: [2], dataType: 1, floatData: [1, 1] }],
      input: [value('x')],
      output: [value('y')],
    },
  };
  const bytes = modelProto.encode(modelProto.fromObject(proto)).finish();
  expect(decodeModel(bytes, 'm.onnx').weights).toEqual(expected);
});
