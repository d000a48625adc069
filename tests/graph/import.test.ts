import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { ModelError } from '../../errors.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileForward, compileTraining } from '../../graph/compile.ts';
import { findProblems } from '../../graph/import.ts';
import {
  type Attributes,
  float32Tensor,
  type Graph,
  int,
  int64Tensor,
  ints,
  type Model,
  type Node,
  type Tensor,
  text,
} from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { namedStream } from '../../random/stream.ts';

const node = (op: string, inputs: string[], outputs: string[], attributes: Attributes = {}, domain = ''): Node => ({
  name: `${op}_${outputs[0]}`,
  op,
  domain,
  inputs,
  outputs,
  attributes,
});

function randomTensor(name: string, dims: number[]): Tensor {
  const stream = namedStream('import test', name);
  return float32Tensor(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * stream.uniform() - 1),
  );
}

/** A classifier of images [n, 2, 3] whose nodes are spelled as in an older operator set. */
function olderModel(opset: number, nodes: Node[], constants: Record<string, Tensor> = {}, weights = ['w']): Model {
  const graph: Graph = {
    name: 'older',
    inputs: [{ name: 'x', dtype: 'float32', shape: ['n', 2, 3] }],
    outputs: [{ name: 'logits', dtype: 'float32', shape: ['n', 'classes'] }],
    nodes,
    constants: new Map(Object.entries({ w: randomTensor('w', [6, 4]), ...constants })),
  };
  return { graph, opset, weights };
}

const image = randomTensor('x', [2, 2, 3]);

async function runAsItIs(model: Model): Promise<number[]> {
  const session = await ort.InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
  const { logits } = await session.run({ x: new ort.Tensor('float32', image.data as Float32Array, [2, 2, 3]) });
  return Array.from(logits!.data as Float32Array);
}

async function runCompiled(model: Model): Promise<number[]> {
  const session = await ort.InferenceSession.create(
    compileForward(model, bindModel(model, 'classification', 'm')).onnx,
  );
  const { logits } = await session.run({
    image: new ort.Tensor('float32', image.data as Float32Array, [2, 2, 3]),
    label: new ort.Tensor('int32', Int32Array.of(0, 1), [2]),
    w: new ort.Tensor('float32', model.graph.constants.get('w')!.data as Float32Array, [6, 4]),
  });
  return Array.from(logits!.data as Float32Array);
}

const flatten = node('Flatten', ['x'], ['rows']);
const project = node('MatMul', ['rows', 'w'], ['logits']);

const spellings: [string, Model][] = [
  [
    'axes as attributes (opset 12)',
    olderModel(12, [
      node('Unsqueeze', ['x'], ['u'], { axes: ints([1]) }),
      node('Squeeze', ['u'], ['s'], { axes: ints([1]) }),
      node('ReduceSum', ['s'], ['t'], { axes: ints([2]), keepdims: int(1) }),
      node('Add', ['t', 's'], ['v']),
      node('Flatten', ['v'], ['rows']),
      project,
    ]),
  ],
  [
    'reductions with an axes attribute (opset 17)',
    olderModel(17, [
      node('ReduceMean', ['x'], ['mean'], { axes: ints([1]), keepdims: int(1) }),
      node('ReduceMax', ['x'], ['max'], { axes: ints([-1]), keepdims: int(1) }),
      node('Sub', ['x', 'mean'], ['c']),
      node('Add', ['c', 'max'], ['d']),
      node('Flatten', ['d'], ['rows']),
      project,
    ]),
  ],
  [
    'split sizes as an attribute (opset 12)',
    olderModel(12, [
      node('Split', ['x'], ['a', 'b'], { axis: int(2), split: ints([1, 2]) }),
      node('Concat', ['b', 'a'], ['c'], { axis: int(2) }),
      node('Flatten', ['c'], ['rows']),
      project,
    ]),
  ],
  [
    'an even split without sizes (opset 13)',
    olderModel(13, [
      node('Split', ['x'], ['a', 'b'], { axis: int(1) }),
      node('Concat', ['b', 'a'], ['c'], { axis: int(1) }),
      node('Flatten', ['c'], ['rows']),
      project,
    ]),
  ],
  [
    'softmax over everything from the axis on (opset 12)',
    olderModel(12, [node('Softmax', ['x'], ['p'], { axis: int(1) }), node('Flatten', ['p'], ['rows']), project]),
  ],
  [
    'softmax with the old default axis 1 (opset 12)',
    olderModel(12, [node('LogSoftmax', ['x'], ['p']), node('Flatten', ['p'], ['rows']), project]),
  ],
  [
    'softmax over the last axis (opset 12)',
    olderModel(12, [node('Softmax', ['x'], ['p'], { axis: int(-1) }), node('Flatten', ['p'], ['rows']), project]),
  ],
  [
    'a shape filled with int64 ones (opset 17)',
    olderModel(
      17,
      [
        node('ConstantOfShape', ['two'], ['ones'], { value: { kind: 'tensor', value: int64Tensor([1], [1]) } }),
        node('Concat', ['ones', 'one'], ['target'], { axis: int(0) }),
        node('Expand', ['x', 'target'], ['e']),
        node('Flatten', ['e'], ['rows']),
        project,
      ],
      { two: int64Tensor([1], [2]), one: int64Tensor([1], [1]) },
    ),
  ],
];

describe('models of older operator sets compute what they did', () => {
  test.each(spellings)('%s', async (_, model) => {
    const expected = await runAsItIs(model);
    const found = await runCompiled(model);
    expect(found).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
  });
});

describe('operators that cannot be used', () => {
  const loopBody: Graph = { name: 'body', inputs: [], outputs: [], nodes: [], constants: new Map() };
  const broken = olderModel(17, [
    node('Flatten', ['x'], ['rows']),
    node('Hardmax', ['rows'], ['h']),
    node('MatMul', ['h', 'w'], ['m']),
    node('BiasGelu', ['m', 'm'], ['g'], {}, 'com.example'),
    node('If', ['g'], ['i'], { then_branch: { kind: 'graph', value: loopBody } }),
    node('Hardmax', ['i'], ['logits']),
  ]);

  test('are all found, each with what is wrong', () => {
    expect(findProblems(broken.graph).map(({ node: { op }, problem }) => [op, problem])).toEqual([
      ['Hardmax', 'operator not supported'],
      ['BiasGelu', "operator of domain 'com.example'; export with standard operators"],
      [
        'If',
        expect.stringMatching(
          /^control flow in a forward graph is not supported; export the model without it \(squeeze/,
        ),
      ],
      ['Hardmax', 'operator not supported'],
    ]);
  });

  test('are all listed in one refusal', () => {
    const compile = () => compileForward(broken, bindModel(broken, 'classification', 'broken.onnx'));
    expect(compile).toThrow(ModelError);
    expect(compile).toThrow(/Hardmax \('Hardmax_h'\).*BiasGelu \('BiasGelu_g'\).*If \('If_i'\)/);
  });

  test('for lack of a gradient are all listed, and only those between weights and loss', () => {
    const model = olderModel(
      17,
      [
        node('ScatterND', ['x', 'first', 'row'], ['before'], { reduction: text('max') }),
        node('Flatten', ['before'], ['rows']),
        node('MatMul', ['rows', 'w'], ['m']),
        node('ScatterND', ['m', 'first', 'value'], ['s'], { reduction: text('max') }),
        node('ScatterND', ['s', 'first', 'value'], ['logits'], { reduction: text('mul') }),
      ],
      {
        first: int64Tensor([1, 1], [0]),
        row: randomTensor('row', [1, 2, 3]),
        value: randomTensor('value', [1, 4]),
      },
    );
    const binding = bindModel(model, 'classification', 'm');
    expect(() => compileTraining(model, binding)).toThrow(
      /cannot be trained: .*ScatterND_logits' .*reduction 'mul'.*ScatterND_s' .*reduction 'max'.*replace these/,
    );
    expect(() => compileTraining(model, binding)).not.toThrow(/ScatterND_before/);
    expect(compileForward(model, binding).layers).toEqual([{ name: 'w', shape: [6, 4] }]);
  });

  test('none in a usable model', () => {
    expect(findProblems(olderModel(17, [flatten, project]).graph)).toEqual([]);
  });
});

test('an operator set older than is covered is refused with the mend', () => {
  const model = olderModel(10, [flatten, project]);
  expect(() => compileForward(model, bindModel(model, 'classification', 'm'))).toThrow(/operator set 10.*11 and later/);
});

test('a node that reads what nothing produces is reported', () => {
  const model = olderModel(17, [flatten, node('MatMul', ['rows', 'lost'], ['logits'])]);
  expect(() => compileForward(model, bindModel(model, 'classification', 'm'))).toThrow(
    /reads 'lost', which nothing produces/,
  );
});

test('a model without weights is refused', () => {
  const model = olderModel(17, [flatten, project], {}, []);
  expect(() => compileTraining(model, bindModel(model, 'classification', 'm'))).toThrow(/no float32 weights to train/);
});

test('weights the loss does not depend on stay as they are', () => {
  const model = olderModel(17, [flatten, project], { idle: randomTensor('idle', [3]) }, ['w', 'idle']);
  const { layers } = compileTraining(model, bindModel(model, 'classification', 'm'));
  expect(layers.map(({ name }) => name)).toEqual(['w', 'idle']);
});
