import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../graph/builder.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { type Attributes, float, float32Tensor, int, ints } from '../../graph/ir.ts';
import { binaryCrossEntropy } from '../../graph/losses/binary-cross-entropy.ts';
import { crossEntropy } from '../../graph/losses/cross-entropy.ts';
import { ctc } from '../../graph/losses/ctc.ts';
import type { LossValues } from '../../graph/losses/loss.ts';
import { encodeModel } from '../../graph/onnx/write.ts';

/** Where float32, data or shapes run out of the ordinary. Expected values are written out from the definitions. */

interface Numbers {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

const row = (...data: number[]): Numbers => ({ dims: [1, data.length], data });
const infinity = Number.POSITIVE_INFINITY;

async function run(
  b: GraphBuilder,
  outputs: readonly string[],
  feeds: Record<string, ort.Tensor>,
): Promise<number[][]> {
  const session = await ort.InferenceSession.create(
    encodeModel({ graph: b.build('edge', outputs), opset: 21, weights: [] }),
    { intraOpNumThreads: 1, graphOptimizationLevel: 'basic', logSeverityLevel: 4 },
  );
  const results = await session.run(feeds);
  return outputs.map((name) => Array.from(results[name]!.data as Float32Array));
}

/** The output and the gradient of its sum with respect to x. */
async function throughSum(
  x: Numbers,
  write: (b: GraphBuilder, x: string) => string,
): Promise<{ y: number[]; dx: number[] }> {
  const b = new GraphBuilder();
  const input = b.input('x', 'float32', x.dims);
  const y = write(b, input);
  const nodes = [...b.nodes];
  const dy = b.op('Expand', [b.scalar(1), b.shapeOf(y)]);
  const dx = differentiate(b, nodes, new Map([[y, dy]]), new Set([input])).get(input)!;
  const feeds = { x: new ort.Tensor('float32', Float32Array.from(x.data), x.dims) };
  const [values, gradient] = await run(b, [y, dx], feeds);
  return { y: values!, dx: gradient! };
}

const operator =
  (op: string, attributes: Attributes = {}, others: readonly Numbers[] = []) =>
  (b: GraphBuilder, x: string) =>
    b.op(op, [x, ...others.map(({ dims, data }) => b.constant(float32Tensor(dims, data)))], attributes);

/** A loss of logits and its gradient. */
async function lossOf(
  logits: Numbers,
  write: (b: GraphBuilder, logits: string) => LossValues,
  integers: Record<string, { dims: readonly number[]; data: readonly number[] }> = {},
): Promise<{ loss: number; gradient: number[] }> {
  const b = new GraphBuilder();
  const input = b.input('logits', 'float32', logits.dims);
  const feeds: Record<string, ort.Tensor> = {
    logits: new ort.Tensor('float32', Float32Array.from(logits.data), logits.dims),
  };
  for (const [name, { dims, data }] of Object.entries(integers)) {
    b.input(name, 'int64', dims);
    feeds[name] = new ort.Tensor('int64', BigInt64Array.from(data, BigInt), dims);
  }
  const { loss, logitsGradient } = write(b, input);
  const [value, gradient] = await run(b, [loss, logitsGradient], feeds);
  return { loss: value![0]!, gradient: gradient! };
}

const classify = (logits: readonly number[][], labels: readonly number[]) =>
  lossOf(
    { dims: [logits.length, logits[0]!.length], data: logits.flat() },
    (b, input) => crossEntropy(b, input, 'labels'),
    { labels: { dims: [labels.length], data: labels } },
  );

/** CTC of equally long utterances; [batch][frames][symbols]. */
function transcribe(logits: readonly number[][][], targets: readonly number[][], lengths: readonly number[]) {
  const [batch, frames, symbols] = [logits.length, logits[0]!.length, logits[0]![0]!.length];
  const columns = Math.max(...targets.map((target) => target.length));
  const padded = targets.flatMap((target) => [...target, ...Array<number>(columns - target.length).fill(0)]);
  return lossOf(
    { dims: [batch, frames, symbols], data: logits.flat(2) },
    (b, input) => ctc(b, { logits: input, lengths: 'lengths', targets: 'targets', targetLengths: 'target_lengths' }),
    {
      lengths: { dims: [batch], data: lengths },
      targets: { dims: [batch, columns], data: padded },
      target_lengths: { dims: [batch], data: targets.map((target) => target.length) },
    },
  );
}

function expectClose(found: readonly number[], expected: readonly number[], digits = 6): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    if (Number.isFinite(value)) expect({ i, value: found[i] }).toEqual({ i, value: expect.closeTo(value, digits) });
    else expect({ i, value: found[i] }).toEqual({ i, value });
  }
}

describe('overflow', () => {
  test('cross-entropy of logits beyond the range of exp', async () => {
    const { loss, gradient } = await classify([[2e4, -2e4, 0]], [1]);
    expect(loss).toBe(4e4);
    expectClose(gradient, [1, -1, 0]);
  });

  test('binary cross-entropy of logits beyond the range of exp', async () => {
    const { loss, gradient } = await lossOf(row(2e4, -2e4, 2e4, -2e4), (b, logits) =>
      binaryCrossEntropy(b, logits, b.constant(float32Tensor([1, 4], [1, 0, 0, 1]))),
    );
    expect(loss).toBe(1e4);
    expectClose(gradient, [0, 0, 0.25, -0.25]);
  });

  test('CTC of logits beyond the range of exp', async () => {
    const sure = (symbol: number) => [0, 1, 2].map((k) => (k === symbol ? 1e4 : 0));
    const { loss, gradient } = await transcribe([[sure(1), sure(0), sure(2)]], [[1, 1]], [3]);
    // The best path says 1, blank, 1: wrong in the last frame alone. Two labels divide the loss.
    expect(loss).toBeCloseTo(5e3, 1);
    expectClose(gradient, [0, 0, 0, 0, 0, 0, 0, -0.5, 0.5]);
  });

  test.each<[string, Attributes, number[], number[]]>([
    ['Softplus', {}, [1e4, -1e4], [1, 0]],
    ['Sigmoid', {}, [1e4, -1e4], [0, 0]],
    ['Tanh', {}, [1e4, -1e4], [0, 0]],
    ['Gelu', {}, [1e25, -1e25], [1, 0]],
    ['Gelu', { approximate: { kind: 'string', value: 'tanh' } }, [1e25, -1e25], [1, 0]],
    ['Mish', {}, [1e25, -1e25], [1, 0]],
    ['HardSwish', {}, [1e25, -1e25], [1, 0]],
    ['Elu', {}, [1e25, -1e25], [1, 0]],
    ['Selu', { alpha: float(1), gamma: float(2) }, [1e25, -1e25], [2, 0]],
    ['Celu', {}, [1e25, -1e25], [1, 0]],
    ['Softsign', {}, [1e25, -1e25], [0, 0]],
    ['Erf', {}, [1e25, -1e25], [0, 0]],
    ['LogSoftmax', {}, [1e25, -1e25], [-1, 1]],
    ['Softmax', {}, [1e25, -1e25], [0, 0]],
    ['ReduceLogSumExp', {}, [1e4, -1e4], [1, 0]],
  ])('%s %j far from 0 keeps its limit', async (op, attributes, x, expected) => {
    expectClose((await throughSum(row(...x), operator(op, attributes))).dx, expected);
  });

  test('a value beyond float32 is infinite, and so is its gradient: nothing pretends', async () => {
    const { y, dx } = await throughSum(row(100), operator('Exp'));
    expect([y, dx]).toEqual([[infinity], [infinity]]);
  });
});

describe('underflow', () => {
  test('cross-entropy of a class whose probability is 0 in float32', async () => {
    const { loss, gradient } = await classify([[0, 200]], [0]);
    expect(loss).toBe(200);
    expectClose(gradient, [-1, 1]);
  });

  test('CTC of an utterance whose probability is far below the smallest float32', async () => {
    const frames = Array.from({ length: 300 }, () => [0, 0, 0]);
    const { loss, gradient } = await transcribe([frames], [[1]], [300]);
    // 300 · 301 / 2 paths of equal probability 3⁻³⁰⁰.
    expect(loss).toBeCloseTo(300 * Math.log(3) - Math.log((300 * 301) / 2), 2);
    expect(gradient.every(Number.isFinite)).toBe(true);
    // The symbol that is not in the target gets its probability, 1/3, in every frame.
    expectClose(
      gradient.filter((_, i) => i % 3 === 2),
      Array<number>(300).fill(1 / 3),
      4,
    );
  });

  test('the norm of a vector whose squares are 0 in float32 has a finite gradient', async () => {
    const { dx } = await throughSum(row(1e-25, -1e-25), operator('ReduceL2'));
    expect(dx.every(Number.isFinite)).toBe(true);
  });

  test('a softmax that is 0 in float32 has gradient 0', async () => {
    const { y, dx } = await throughSum(row(0, -200), operator('Softmax'));
    expect([y, dx]).toEqual([
      [1, 0],
      [0, 0],
    ]);
  });
});

describe('zero variance', () => {
  const flat = { dims: [1, 4], data: [3, 3, 3, 3] };
  const [ones, zeros] = [Array<number>(4).fill(1), Array<number>(4).fill(0)];

  test('layer normalisation of a constant row: output is the bias, gradient of the sum is 0', async () => {
    const layerNorm = (b: GraphBuilder, x: string) => {
      const [factor, shift] = [ones, [1, 2, 3, 4]].map((data) => b.constant(float32Tensor([4], data)));
      return b.node('LayerNormalization', [x, factor!, shift!], {}, { outputs: 3 })[0]!;
    };
    const { y, dx } = await throughSum(flat, layerNorm);
    expectClose(y, [1, 2, 3, 4]);
    expectClose(dx, zeros);
  });

  test('and the gradient of one element is that of (x − mean) / √ε', async () => {
    const first = (b: GraphBuilder, x: string) => {
      const factor = b.constant(float32Tensor([4], ones));
      const [y] = b.node('LayerNormalization', [x, factor], { epsilon: float(1e-4) }, { outputs: 3 });
      return b.op('Mul', [y!, b.constant(float32Tensor([4], [1, 0, 0, 0]))]);
    };
    expectClose((await throughSum(flat, first)).dx, [75, -25, -25, -25], 3);
  });

  test('a root at 0 has an infinite slope', async () => {
    expect((await throughSum(row(0), operator('Sqrt'))).dx).toEqual([infinity]);
  });
});

describe('empty reduction axes', () => {
  const x = { dims: [2, 2], data: [1, 2, 3, 4] };
  const over = (op: string, attributes: Attributes) => (b: GraphBuilder, value: string) =>
    b.op(op, [value, b.axes([])], attributes);

  test.each(['ReduceSum', 'ReduceMean', 'ReduceMax'])('%s over no axes reduces all', async (op) => {
    const expected = { ReduceSum: [1, 1, 1, 1], ReduceMean: [0.25, 0.25, 0.25, 0.25], ReduceMax: [0, 0, 0, 1] }[op]!;
    const { y, dx } = await throughSum(x, over(op, { keepdims: int(0) }));
    expect(y.length).toBe(1);
    expect(dx).toEqual(expected);
  });

  test.each(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceProd', 'ReduceLogSumExp'])(
    '%s over no axes with noop_with_empty_axes is the identity',
    async (op) => {
      const { y, dx } = await throughSum(x, over(op, { noop_with_empty_axes: int(1) }));
      expectClose(y, x.data);
      expectClose(dx, [1, 1, 1, 1]);
    },
  );

  test('a sum over an axis without elements is 0 and has an empty gradient', async () => {
    const none = { dims: [2, 0], data: [] };
    const { y, dx } = await throughSum(none, (b, value) =>
      b.op('ReduceSum', [value, b.axes([1])], { keepdims: int(0) }),
    );
    expect([y, dx]).toEqual([[0, 0], []]);
  });
});

describe('NaN propagation', () => {
  const nan = Number.NaN;

  test.each<[string, Attributes]>(
    ['Sigmoid', 'Tanh', 'Exp', 'Softplus', 'Gelu', 'Softmax', 'LogSoftmax', 'ReduceLogSumExp', 'ReduceL2'].map((op) => [
      op,
      {},
    ]),
  )('%s: a NaN reaches output and gradient', async (op, attributes) => {
    const { y, dx } = await throughSum(row(nan, 1), operator(op, attributes));
    expect([y[0], dx[0]]).toEqual([nan, nan]);
  });

  test('a NaN logit makes the loss NaN, not the gradients of other examples', async () => {
    const { loss, gradient } = await classify(
      [
        [nan, 0],
        [0, 0],
      ],
      [0, 1],
    );
    expect(loss).toBeNaN();
    expect(gradient).toEqual([nan, nan, 0.25, -0.25]);
  });

  test('a NaN in one row of a matrix product stays in that row of the gradient, and spoils the weights', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2, 2]);
    const w = b.input('w', 'float32', [2, 1]);
    const y = b.op('Sigmoid', [b.op('MatMul', [x, w])]);
    const nodes = [...b.nodes];
    const seed = b.constant(float32Tensor([2, 1], [1, 1]));
    const gradients = differentiate(b, nodes, new Map([[y, seed]]), new Set([x, w]));
    const tensor = (data: number[], dims: number[]) => new ort.Tensor('float32', Float32Array.from(data), dims);
    const [dx, dw] = await run(b, [gradients.get(x)!, gradients.get(w)!], {
      x: tensor([nan, 1, 0, 0], [2, 2]),
      w: tensor([1, 1], [2, 1]),
    });
    expect(dx).toEqual([nan, nan, 0.25, 0.25]);
    expect(dw).toEqual([nan, nan]);
  });
});

describe('ties in max', () => {
  test.each<[string, Numbers, (b: GraphBuilder, x: string) => string, number[]]>([
    ['ReduceMax', row(2, 2, 1, 2), operator('ReduceMax'), [1 / 3, 1 / 3, 0, 1 / 3]],
    ['ReduceMin', row(2, 1, 1, 2), operator('ReduceMin'), [0, 0.5, 0.5, 0]],
    ['Max with itself', row(2, 3), (b, x) => b.op('Max', [x, x]), [1, 1]],
    ['Max with an equal constant', row(2, 3), (b, x) => b.op('Max', [x, b.scalar(2)]), [0.5, 1]],
    ['Min with an equal constant', row(2, 3), (b, x) => b.op('Min', [x, b.scalar(3)]), [1, 0.5]],
    [
      'MaxPool, windows side by side',
      { dims: [1, 1, 4], data: [5, 5, 1, 7] },
      operator('MaxPool', { kernel_shape: ints([2]), strides: ints([2]) }),
      [0.5, 0.5, 0, 1],
    ],
    [
      'MaxPool, overlapping windows',
      { dims: [1, 1, 3], data: [5, 5, 5] },
      operator('MaxPool', { kernel_shape: ints([2]), strides: ints([1]) }),
      [0.5, 1, 0.5],
    ],
    ['GlobalMaxPool', { dims: [1, 2, 2], data: [4, 4, 1, 0] }, operator('GlobalMaxPool'), [0.5, 0.5, 1, 0]],
    ['Relu at 0', row(0, -0, 1), operator('Relu'), [0, 0, 1]],
  ])('%s: equal elements share the gradient', async (_, x, write, expected) => {
    expectClose((await throughSum(x, write)).dx, expected);
  });
});

describe('length-1 sequences', () => {
  test('CTC of one frame and one label', async () => {
    const { loss, gradient } = await transcribe([[[0, Math.log(3)]]], [[1]], [1]);
    expect(loss).toBeCloseTo(Math.log(4 / 3), 6);
    expectClose(gradient, [0.25, -0.25]);
  });

  test('CTC of one frame and no label', async () => {
    const { loss, gradient } = await transcribe([[[0, Math.log(3)]], [[0, 0]]], [[], [1]], [1, 1]);
    // −log p(blank) = log 4, over at least one label; the other utterance gives log 2.
    expect(loss).toBeCloseTo((Math.log(4) + Math.log(2)) / 2, 6);
    expectClose(gradient, [(0.25 - 1) / 2, 0.75 / 2, 0.5 / 2, -0.5 / 2]);
  });

  test('a softmax over one element is constant', async () => {
    const { y, dx } = await throughSum({ dims: [3, 1], data: [5, -5, 0] }, operator('Softmax'));
    expect([y, dx]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });

  test('a normalised single element is its bias', async () => {
    const one = { dims: [1], data: [1] };
    const write = (b: GraphBuilder, x: string) =>
      b.node('LayerNormalization', [x, b.constant(float32Tensor([1], one.data))], {}, { outputs: 3 })[0]!;
    const { y, dx } = await throughSum({ dims: [2, 1], data: [7, -7] }, write);
    expect([y.map(Math.abs), dx.map(Math.abs)]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('a convolution wider than a sequence of one frame sees its padding', async () => {
    const write = operator('Conv', { pads: ints([1, 1]) }, [{ dims: [1, 1, 3], data: [2, 3, 5] }]);
    expect(await throughSum({ dims: [1, 1, 1], data: [7] }, write)).toEqual({ y: [21], dx: [3] });
  });

  test('a running sum of one element', async () => {
    const write = (b: GraphBuilder, x: string) => b.op('CumSum', [x, b.index(1)]);
    expect(await throughSum({ dims: [2, 1], data: [4, 5] }, write)).toEqual({ y: [4, 5], dx: [1, 1] });
  });
});

describe('target longer than input', () => {
  const even = (frames: number) => Array.from({ length: frames }, () => [0, 0, 0]);

  test('adds neither loss nor gradient, and leaves the other utterances as they are', async () => {
    const { loss, gradient } = await transcribe([even(2), even(2)], [[1, 2, 1], [1]], [2, 2]);
    // Alone, the second utterance has 3 paths of probability 1/9; the batch still counts two.
    expect(loss).toBeCloseTo(Math.log(3) / 2, 6);
    expectClose(gradient.slice(0, 6), [0, 0, 0, 0, 0, 0]);
    expect(gradient.slice(6).some((value) => value !== 0)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });

  test('equal labels need a blank between them: two of them do not fit into two frames', async () => {
    const { loss, gradient } = await transcribe([even(2)], [[1, 1]], [2]);
    expectClose([loss, ...gradient], [0, 0, 0, 0, 0, 0, 0]);
  });

  test('what counts is the length of the utterance, not of the padded batch', async () => {
    const { loss, gradient } = await transcribe([even(4)], [[1, 2]], [1]);
    expectClose([loss, ...gradient], Array<number>(13).fill(0));
  });
});
