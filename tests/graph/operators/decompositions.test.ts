import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { findProblems, writeForward } from '../../../graph/import.ts';
import { type Attributes, float, float32Tensor, int, type Model, type Tensor } from '../../../graph/ir.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { decomposedOperators } from '../../../graph/operators/registry.ts';
import { namedStream } from '../../../random/stream.ts';

interface Case {
  readonly op: string;
  readonly opset: number;
  /** Sizes of the input and of every constant after it. */
  readonly dims: readonly (readonly number[])[];
  readonly attributes?: Attributes;
  /** How many of the constants have a gradient; the first two, scale and shift, when absent. */
  readonly trained?: number;
}

const cases: readonly Case[] = [
  { op: 'InstanceNormalization', opset: 17, dims: [[2, 3, 4], [3], [3]] },
  { op: 'InstanceNormalization', opset: 17, dims: [[2, 2, 3, 2], [2], [2]], attributes: { epsilon: float(0.1) } },
  { op: 'GroupNormalization', opset: 18, dims: [[2, 4, 3], [2], [2]], attributes: { num_groups: int(2) } },
  { op: 'GroupNormalization', opset: 21, dims: [[2, 4, 3, 2], [4], [4]], attributes: { num_groups: int(2) } },
  { op: 'RMSNormalization', opset: 23, dims: [[2, 3, 4], [4]] },
  {
    op: 'RMSNormalization',
    opset: 23,
    dims: [
      [2, 3, 4],
      [3, 4],
    ],
    attributes: { axis: int(1), epsilon: float(0.1) },
  },
  { op: 'BatchNormalization', opset: 15, dims: [[2, 3], [3], [3], [3], [3]] },
  {
    op: 'BatchNormalization',
    opset: 15,
    dims: [[2, 3, 2, 2], [3], [3], [3], [3]],
    attributes: { epsilon: float(0.1) },
  },
  { op: 'CastLike', opset: 15, dims: [[2, 3], [1]], trained: 0 },
  { op: 'Dropout', opset: 17, dims: [[2, 3]] },
  { op: 'Swish', opset: 24, dims: [[2, 3]] },
  { op: 'Swish', opset: 24, dims: [[2, 3]], attributes: { alpha: float(1.7) } },
];

function tensor(dims: readonly number[], name: string): Tensor {
  const stream = namedStream('decompose test', name);
  const count = dims.reduce((a, b) => a * b, 1);
  return float32Tensor(
    dims,
    Array.from({ length: count }, () => 0.2 + 2 * stream.uniform()),
  );
}

function modelOf({ op, opset, dims, attributes = {} }: Case): Model {
  const names = dims.map((_, i) => (i === 0 ? 'x' : `c${i}`));
  const graph = {
    name: 'one',
    inputs: [{ name: 'x', dtype: 'float32' as const, shape: ['n', ...dims[0]!.slice(1)] }],
    outputs: [{ name: 'y', dtype: 'float32' as const, shape: dims[0]! }],
    nodes: [{ name: 'the_node', op, domain: '', inputs: names, outputs: ['y'], attributes }],
    constants: new Map(names.slice(1).map((name, i) => [name, tensor(dims[i + 1]!, name)])),
  };
  return { graph, opset, weights: [] };
}

/** Writes the decomposed model; scale and shift are inputs, so that their gradients can be taken. */
function decomposed(model: Model, trained: readonly string[]) {
  const b = new GraphBuilder();
  const names = new Map(model.graph.inputs.map(({ name, dtype, shape }) => [name, b.input(name, dtype, shape)]));
  for (const name of trained) names.set(name, b.input(name, 'float32', model.graph.constants.get(name)!.dims));
  return { b, nodes: writeForward(b, model, names), y: names.get('y')! };
}

const open = (model: Model) => ort.InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
const feed = ({ dims, data }: Tensor, moved?: { index: number; by: number }) => {
  const values = Float32Array.from(data as Float32Array);
  if (moved) values[moved.index]! += moved.by;
  return new ort.Tensor('float32', values, dims);
};

test('every operator that is taken apart is compared with its own kernel', () => {
  expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(decomposedOperators());
});

describe.each(cases)('$op of operator set $opset on $dims', (each) => {
  const model = modelOf(each);
  const x = tensor(each.dims[0]!, 'x');
  const trained = [...model.graph.constants.keys()].slice(0, each.trained ?? 2);
  const values = new Map([['x', x], ...trained.map((name) => [name, model.graph.constants.get(name)!] as const)]);
  const feeds = Object.fromEntries([...values].map(([name, value]) => [name, feed(value)]));

  async function forward() {
    const { b, y } = decomposed(model, trained);
    return open({ graph: b.build('forward', [y]), opset: 21, weights: [] }).then((session) => ({ session, y }));
  }

  test('computes what the operator does', async () => {
    const expected = await (await open(model)).run({ x: feeds.x! });
    const { session, y } = await forward();
    const found = await session.run(feeds);
    const [left, right] = [found[y]!.data as Float32Array, expected.y!.data as Float32Array];
    expect(left).toHaveLength(right.length);
    for (const [i, value] of right.entries()) expect(left[i]).toBeCloseTo(value, 5);
  });

  test('its gradients equal finite differences', async () => {
    const { b, nodes, y } = decomposed(model, trained);
    const dy = b.input('dy', 'float32', b.shape(y));
    const gradients = differentiate(b, nodes, new Map([[y, dy]]), new Set(values.keys()));
    expect([...gradients.keys()]).toEqual([...values.keys()]);
    const session = await open({ graph: b.build('backward', [...gradients.values()]), opset: 21, weights: [] });
    const cotangent = tensor(each.dims[0]!, 'cotangent');
    const found = await session.run({ ...feeds, dy: feed(cotangent) });
    const run = await forward();
    const project = async (name: string, index: number, by: number) => {
      const result = await run.session.run({ ...feeds, [name]: feed(values.get(name)!, { index, by }) });
      const output = result[run.y]!.data as Float32Array;
      return output.reduce((sum, value, i) => sum + value * Number(cotangent.data[i]), 0);
    };
    for (const [name, value] of values) {
      const gradient = found[gradients.get(name)!]!.data as Float32Array;
      for (let i = 0; i < value.data.length; i++) {
        const h = 0.02;
        const near = (await project(name, i, h)) - (await project(name, i, -h));
        const far = (await project(name, i, 2 * h)) - (await project(name, i, -2 * h));
        expect({ name, i, error: Math.abs(gradient[i]! - (8 * near - far) / (12 * h)) < 2e-3 }).toEqual({
          name,
          i,
          error: true,
        });
      }
    }
  });
});

test('RMSNormalization divides by the root of the mean square', async () => {
  const model = modelOf({ op: 'RMSNormalization', opset: 23, dims: [[1, 2], [2]], attributes: { epsilon: float(0) } });
  model.graph.constants.get('c1')!.data.set([2, 10] as never);
  const { b, y } = decomposed(model, []);
  const session = await open({ graph: b.build('forward', [y]), opset: 21, weights: [] });
  const result = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 7), [1, 2]) });
  expect([...(result[y]!.data as Float32Array)]).toEqual([expect.closeTo(0.4, 6), expect.closeTo(14, 5)]);
});

test('BatchNormalization in training mode is refused, with what to do', () => {
  const { graph } = modelOf({
    op: 'BatchNormalization',
    opset: 15,
    dims: [[2, 3], [3], [3], [3], [3]],
    attributes: { training_mode: int(1) },
  });
  expect(findProblems(graph).map(({ problem }) => problem)).toEqual([
    expect.stringMatching(/eval mode.*or use GroupNorm/),
  ]);
});
