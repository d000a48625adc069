import { describe, expect, test } from '@jest/globals';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileTraining } from '../../graph/compile.ts';
import { float32Tensor, int, type Model } from '../../graph/ir.ts';
import { modelProto } from '../../graph/onnx/schema.ts';
import { buildMlp } from '../../models/mlp.ts';

interface Body {
  readonly input: readonly { name: string }[];
  readonly node: readonly { opType: string }[];
}

/** What the loop of a compiled training graph hands from step to step, and the operators in front of it. */
function loopOf(model: Model, batchSize?: number): { states: string[]; before: string[] } {
  const { onnx } = compileTraining(model, bindModel(model, 'classification', 'test'), { batchSize });
  const { graph } = modelProto.decode(onnx) as unknown as {
    graph: { node: { opType: string; attribute: { name: string; g?: Body }[] }[] };
  };
  const at = graph.node.findIndex(({ opType }) => opType === 'Loop');
  const body = graph.node[at]!.attribute.find(({ name }) => name === 'body')!.g!;
  return {
    states: body.input.slice(2).map(({ name }) => name),
    before: graph.node.slice(0, at).map(({ opType }) => opType),
  };
}

const imageShape = [1, 12, 12] as const;

/** Two dense layers of 144 units after the data, with whatever is done to the weight of the second. */
function twoLayers(use: (b: GraphBuilder, x: string, weight: string) => string): Model {
  const b = new GraphBuilder();
  const square = (name: string) => b.constant(float32Tensor([144, 144], new Float32Array(144 * 144).fill(0.01)), name);
  const x = b.op('Flatten', [b.input('image', 'float32', ['batch', ...imageShape])], { axis: int(1) });
  const first = b.op('Relu', [b.op('MatMul', [x, square('first')])]);
  b.op('Identity', [use(b, first, square('second'))], {}, { outputNames: ['logits'] });
  return { graph: b.build('two', ['logits']), opset: 21, weights: ['first', 'second'] };
}

describe('layers whose steps are gathered', () => {
  test('a wide layer hands on its rows in place of its weight; one on the data only those of its output', () => {
    const { states, before } = loopOf(buildMlp({ kind: 'mlp', imageShape, hidden: [150, 140], classes: 5 }, 1));
    expect(states).toEqual([
      'history/parameters/dense1.weight',
      'history/parameters/dense2.weight',
      expect.stringMatching(/^history\/parameters\/dense2\.weight_/),
      'weights/output.weight',
      'weights/output.bias',
    ]);
    // The data times the weight and times itself, for all visits at once.
    expect(before.filter((op) => op === 'Gemm')).toHaveLength(2);
  });

  test('with large mini-batches every layer steps at once', () => {
    const model = buildMlp({ kind: 'mlp', imageShape, hidden: [150, 140], classes: 5 }, 1);
    expect(loopOf(model, 64).states.some((name) => name.startsWith('history/'))).toBe(true);
    expect(loopOf(model, 65).states.every((name) => name.startsWith('weights/'))).toBe(true);
  });

  test('a small layer steps at once', () => {
    const { states } = loopOf(buildMlp({ kind: 'mlp', imageShape: [1, 4, 4], hidden: [20], classes: 5 }, 1));
    expect(states.every((name) => name.startsWith('weights/'))).toBe(true);
  });

  test.each<[string, (b: GraphBuilder, x: string, weight: string) => string]>([
    ['read twice', (b, x, weight) => b.op('MatMul', [b.op('Tanh', [b.op('MatMul', [x, weight])]), weight])],
    ['read by another operator', (b, x, weight) => b.op('MatMul', [x, b.op('Tanh', [weight])])],
    ['scaled', (b, x, weight) => b.op('Gemm', [x, weight], { alpha: { kind: 'float', value: 0.5 } })],
    [
      'on the left of a product',
      (b, x, weight) => b.op('Transpose', [b.op('MatMul', [weight, b.op('Transpose', [x])])]),
    ],
  ])('a weight that is %s is carried whole', (_, use) => {
    const { states } = loopOf(twoLayers(use));
    expect(states).toContain('weights/second');
    expect(states).toContain('history/parameters/first');
  });

  test('a weight with nothing in its way is not', () => {
    const { states } = loopOf(twoLayers((b, x, weight) => b.op('MatMul', [x, weight])));
    expect(states.filter((name) => name.startsWith('weights/'))).toEqual([]);
  });
});
