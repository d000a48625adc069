import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ModelError } from '../../../errors.ts';
import { GraphBuilder } from '../../../graph/builder.ts';
import {
  type Attribute,
  float32Tensor,
  type Graph,
  int,
  int64Tensor,
  ints,
  type Model,
  type Node,
  type Tensor,
} from '../../../graph/ir.ts';
import { decodeModel, readModelFile } from '../../../graph/onnx/read.ts';
import { modelProto } from '../../../graph/onnx/schema.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { buildCnn } from '../../../models/cnn.ts';
import { buildTransformerCtc } from '../../../models/transformer-ctc.ts';

const models: [string, Model][] = [
  ['cnn', buildCnn({ kind: 'cnn', channels: [4, 6], hidden: 8, imageShape: [3, 10, 10], classes: 5 }, 7)],
  [
    'transformer-ctc',
    buildTransformerCtc(
      { kind: 'transformer-ctc', stride: 2, blocks: 2, width: 8, heads: 2, mlp: 16, filters: 5, vocabulary: 6 },
      7,
    ),
  ],
];

/** Constants come back in file order, weights first. */
const byName = (constants: ReadonlyMap<string, Tensor>) =>
  [...constants]
    .map(([name, { dtype, dims, data }]) => ({ name, dtype, dims, data: Array.from(data as ArrayLike<unknown>) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

describe.each(models)('%s written as ONNX and read again', (_, model) => {
  const bytes = encodeModel(model);
  const again = decodeModel(bytes, 'again.onnx');

  test('has the same weights in the same order', () => {
    expect(again.weights).toEqual(model.weights);
    expect(byName(again.graph.constants)).toEqual(byName(model.graph.constants));
  });

  test('has the same graph', () => {
    expect(again.opset).toBe(model.opset);
    expect(again.graph.name).toBe(model.graph.name);
    expect(again.graph.inputs).toEqual(model.graph.inputs);
    expect(again.graph.outputs).toEqual(model.graph.outputs);
    expect(withExactFloats(again)).toEqual(withExactFloats(model));
  });

  test('is the same file when written again', () => {
    expect(encodeModel(decodeModel(encodeModel(again), 'third.onnx'))).toEqual(encodeModel(again));
  });
});

/** Float attributes are float32 in the file. */
function withExactFloats({ graph }: Model) {
  const rounded = (attribute: Attribute): Attribute =>
    attribute.kind === 'float' ? { ...attribute, value: Math.fround(attribute.value) } : attribute;
  return graph.nodes.map((node) => ({
    ...node,
    attributes: Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [name, rounded(value)])),
  }));
}

test('every kind of attribute and every element type survives', () => {
  const tensors: Tensor[] = [
    { dtype: 'float32', dims: [2], data: Float32Array.of(1.5, -0) },
    { dtype: 'float64', dims: [1, 1], data: Float64Array.of(Math.PI) },
    { dtype: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0xfc00) },
    { dtype: 'int64', dims: [2], data: BigInt64Array.of(-(2n ** 62n), 5n) },
    { dtype: 'int32', dims: [], data: Int32Array.of(-3) },
    { dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
    { dtype: 'uint8', dims: [1], data: Uint8Array.of(255) },
    { dtype: 'int8', dims: [1], data: Int8Array.of(-128) },
  ];
  const attributes: Record<string, Attribute> = {
    large: int(-(2 ** 40)),
    half: { kind: 'float', value: 0.5 },
    mode: { kind: 'string', value: 'größer' },
    sizes: ints([3, -1, 0]),
    rates: { kind: 'floats', value: [0.25, -2] },
    words: { kind: 'strings', value: ['a', ''] },
    value: { kind: 'tensor', value: tensors[3]! },
  };
  const model: Model = {
    graph: {
      name: 'all',
      inputs: [{ name: 'x', dtype: 'float32', shape: ['n', 3] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: [] }],
      nodes: [
        { name: 'node', op: 'Anything', domain: 'somewhere', inputs: ['x', '', 't0'], outputs: ['y'], attributes },
      ],
      constants: new Map(tensors.map((tensor, i) => [`t${i}`, tensor])),
    },
    opset: 17,
    weights: [],
  };
  const again = decodeModel(encodeModel(model), 'all.onnx');
  expect(again.graph.nodes).toEqual(model.graph.nodes);
  expect([...again.graph.constants]).toEqual([...model.graph.constants]);
  expect(again.opset).toBe(17);
});

test('the graph of a loop survives with everything it reads', () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2]);
  const body = b.subgraph();
  const step = body.input('step', 'int64', []);
  const go = body.input('go', 'bool', []);
  const sum = body.input('sum', 'float32', [2]);
  const outputs = [body.op('Identity', [go]), body.op('Add', [sum, x])];
  const loop = b.control(
    'Loop',
    [b.index(3), b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) }), x],
    { body: { kind: 'graph', value: body.build('body', outputs) } },
    [{ name: 'y', dtype: 'float32', shape: [2] }],
  );
  const model = { graph: b.build('loop', loop), opset: 21, weights: [] };
  expect(step).toBe('step');
  expect(decodeModel(encodeModel(model), 'loop.onnx')).toEqual({ ...model, weights: [] });
});

describe('a file that cannot be used names itself and the fault', () => {
  test('missing', () => {
    expect(() => readModelFile('/nowhere/model.onnx')).toThrow(/^\/nowhere\/model\.onnx: cannot be read/);
  });

  test('not ONNX', () => {
    expect(() => decodeModel(new TextEncoder().encode('not a model at all'), 'notes.txt')).toThrow(ModelError);
    expect(() => decodeModel(new TextEncoder().encode('not a model at all'), 'notes.txt')).toThrow(/^notes\.txt: /);
  });

  test('damaged: an output that no node produces', () => {
    const graph: Graph = { name: 'g', inputs: [], nodes: [], constants: new Map(), outputs: [] };
    const node: Node = { name: 'n', op: 'Relu', domain: '', inputs: ['w'], outputs: ['z'], attributes: {} };
    const y = { name: 'y', dtype: 'float32' as const, shape: [1] };
    const constants = new Map([['w', float32Tensor([1], [1])]]);
    const bytes = encodeModel({
      graph: { ...graph, nodes: [node], constants, outputs: [y] },
      opset: 17,
      weights: ['w'],
    });
    expect(() => decodeModel(bytes, 'm.onnx')).toThrow(
      /^m\.onnx: no node produces output 'y'[^\n]*export the model again$/,
    );
  });

  test('damaged: a tensor shorter than its shape', () => {
    const [, model] = models[0]!;
    const proto = modelProto.decode(encodeModel(model)) as unknown as {
      graph: { initializer: { rawData: Uint8Array; name: string }[] };
    };
    const [first] = proto.graph.initializer;
    first!.rawData = first!.rawData.slice(0, 8);
    const bytes = modelProto.encode(modelProto.fromObject(proto)).finish();
    expect(() => decodeModel(bytes, 'short.onnx')).toThrow(
      /^short\.onnx: initializer 'conv1\.weight': holds 2 elements/,
    );
  });
});

describe('external data', () => {
  const file = (location: string, length = '8') => {
    const proto = {
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        node: [{ opType: 'Add', input: ['x', 'w'], output: ['y'] }],
        input: [
          { name: 'x', type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'n' }, { dimValue: 2 }] } } } },
        ],
        output: [{ name: 'y', type: { tensorType: { elemType: 1 } } }],
        initializer: [
          {
            name: 'w',
            dims: [2],
            dataType: 1,
            dataLocation: 1,
            externalData: [
              { key: 'location', value: location },
              { key: 'offset', value: '4' },
              { key: 'length', value: length },
            ],
          },
        ],
      },
    };
    return modelProto.encode(modelProto.fromObject(proto)).finish();
  };

  test('is read from beside the model, at its offset', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dpfl-onnx-'));
    try {
      writeFileSync(join(folder, 'weights.bin'), new Uint8Array(Float32Array.of(9, 1.5, -2).buffer));
      writeFileSync(join(folder, 'model.onnx'), file('weights.bin'));
      const model = readModelFile(join(folder, 'model.onnx'));
      expect(model.graph.constants.get('w')).toEqual(float32Tensor([2], [1.5, -2]));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('shorter than the model says, by however much, is refused', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dpfl-onnx-'));
    try {
      writeFileSync(join(folder, 'weights.bin'), new Uint8Array(8));
      for (const length of ['8', '999999999999', '-4', 'x'])
        expect(() => decodeModel(file('weights.bin', length), 'm', folder)).toThrow(
          /weights\.bin is shorter than the model/,
        );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('outside the folder of the model is refused', () => {
    expect(() => decodeModel(file('../secret.bin'), 'model.onnx', '/tmp')).toThrow(/lies outside the model's folder/);
    expect(() => decodeModel(file('/etc/hostname'), 'model.onnx', '/tmp')).toThrow(/lies outside the model's folder/);
  });
});

test.each([
  ['value_int', { kind: 'int', value: 5 }, int64Tensor([], [5])],
  ['value_ints', { kind: 'ints', value: [2, -1] }, int64Tensor([2], [2, -1])],
  ['value_float', { kind: 'float', value: 0.5 }, float32Tensor([], [0.5])],
  ['value_floats', { kind: 'floats', value: [0.5, 2] }, float32Tensor([2], [0.5, 2])],
] as const)('a Constant node may spell its tensor as %s', (name, attribute, expected) => {
  const nodes: Node[] = [
    { name: 'c', op: 'Constant', domain: '', inputs: [], outputs: ['c'], attributes: { [name]: attribute } },
    { name: 'i', op: 'Identity', domain: '', inputs: ['c'], outputs: ['y'], attributes: {} },
  ];
  const graph: Graph = { name: 'g', inputs: [], outputs: [], nodes, constants: new Map() };
  expect(decodeModel(encodeModel({ graph, opset: 17, weights: [] }), 'm').graph.constants.get('c')).toEqual(expected);
});
