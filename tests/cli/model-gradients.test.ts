import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseGradientCase, readGradientCase } from '../../cli/gradient-case.ts';
import { gradientsJson, modelGradients } from '../../cli/model-gradients.ts';
import type { LossKind } from '../../graph/compile-gradients.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';

/** logits = x + w, so that the gradient of w is that of the logits. */
function shifted(dims: readonly number[]): Model {
  const w = float32Tensor(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));
  const idle = float32Tensor([2], [1, 2]);
  const node = { name: 'add', op: 'Add', domain: '', inputs: ['x', 'w'], outputs: ['logits'], attributes: {} };
  const graph = {
    name: 'shifted',
    inputs: [{ name: 'x', dtype: 'float32' as const, shape: dims.map((_, i) => `d${i}`) }],
    outputs: [{ name: 'logits', dtype: 'float32' as const, shape: dims }],
    nodes: [node],
    constants: new Map([
      ['w', w],
      ['idle', idle],
    ]),
  };
  return { graph, opset: 17, weights: ['w', 'idle'] };
}

const float = (dims: number[], data: number[]) => ({ dims, type: 'float32', data });
const integer = (dims: number[], data: number[]) => ({ dims, type: 'int64', data });

function gradientsOf(kind: LossKind, x: ReturnType<typeof float>, target: object, more: object = {}) {
  const value = { inputs: { x }, loss: { kind, output: 'logits', target, ...more } };
  return modelGradients(shifted(x.dims), parseGradientCase(value, 'case.json'), 'case.json');
}

const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5));

test('the JSON is that of JSON.stringify, in pieces that no size of a model makes too long', () => {
  const data = Array.from({ length: 150_000 }, (_, i) => i / 7 - 1e4);
  const gradients = {
    'a"b': { dims: [2], data: [0.5, -0] },
    none: { dims: [0], data: [] },
    w: { dims: [3, 50_000], data },
  };
  const pieces = [...gradientsJson({ loss: 1e-7, gradients })];
  expect(pieces.join('')).toBe(`${JSON.stringify({ loss: 1e-7, gradients })}\n`);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2e6);
});

describe('losses of one run', () => {
  test('mse is a mean over all elements', async () => {
    const { loss, gradients } = await gradientsOf('mse', float([2, 2], [1, 2, 3, 4]), float([2, 2], [0, 2, 1, 4]));
    expect(loss).toBeCloseTo(5 / 4, 6);
    expect(gradients.w).toEqual({ dims: [2, 2], data: close([0.5, 0, 1, 0]) });
  });

  test('bce neither overflows nor loses small probabilities', async () => {
    const { loss, gradients } = await gradientsOf('bce', float([1, 3], [200, -200, 0]), float([1, 3], [0, 1, 1]));
    expect(loss).toBeCloseTo((200 + 200 + Math.log(2)) / 3, 4);
    expect(gradients.w!.data).toEqual(close([1 / 3, -1 / 3, -0.5 / 3]));
  });

  test.each([
    ['last', float([1, 2, 3], [0, 0, 0, 0, 0, Math.log(2)])],
    ['second', float([1, 3, 2], [0, 0, 0, 0, 0, Math.log(2)])],
  ])('cross-entropy finds its classes on the %s axis', async (place, x) => {
    const { loss, gradients } = await gradientsOf('cross-entropy', x, integer([1, 2], [0, 2]));
    expect(loss).toBeCloseTo((Math.log(3) + Math.log(2)) / 2, 5);
    const rows = [-1 / 3, 1 / 6, 1 / 6, 1 / 8, 1 / 8, -1 / 4];
    expect(gradients.w!.data).toEqual(close(place === 'last' ? rows : [0, 3, 1, 4, 2, 5].map((i) => rows[i]!)));
  });

  test('cross-entropy leaves positions of class −100 out of the mean', async () => {
    const { loss, gradients } = await gradientsOf(
      'cross-entropy',
      float([2, 2], [0, 0, 5, 1]),
      integer([2], [1, -100]),
    );
    expect(loss).toBeCloseTo(Math.log(2), 6);
    expect(gradients.w!.data).toEqual(close([0.5, -0.5, 0, 0]));
  });

  test('ctc reads frames first as PyTorch does, and takes whole inputs and unpadded labels without lengths', async () => {
    const data = [0.3, -0.2, 0.9, 0.1, 0.4, -0.7, 0.2, 0.6, -0.1, 0.5, -0.3, 0.8, 0, 0.1, -0.6, 0.7, 0.2, 0.3];
    const swapped = [0, 1, 2].flatMap((t) => [0, 1].flatMap((n) => [0, 1, 2].map((k) => data[n * 9 + t * 3 + k]!)));
    const target = integer([2, 2], [1, 2, 2, 0]);
    const lengths = { input_lengths: integer([2], [3, 3]), target_lengths: integer([2], [2, 1]) };
    const stated = await gradientsOf('ctc', float([2, 3, 3], data), target, lengths);
    const framesFirst = await gradientsOf('ctc', float([3, 2, 3], swapped), target);
    expect(framesFirst.loss).toBeCloseTo(stated.loss, 6);
    const back = [0, 1].flatMap((n) =>
      [0, 1, 2].flatMap((t) => [0, 1, 2].map((k) => framesFirst.gradients.w!.data[t * 6 + n * 3 + k]!)),
    );
    expect(back).toEqual(close(stated.gradients.w!.data));
  });

  test('a weight the loss does not depend on has gradient 0', async () => {
    const { gradients } = await gradientsOf('mse', float([1], [1]), float([1], [0]));
    expect(gradients.idle).toEqual({ dims: [2], data: [0, 0] });
  });

  test('a loss that overflows is refused, not written', async () => {
    await expect(gradientsOf('mse', float([1], [1e30]), float([1], [-1e30]))).rejects.toThrow(/the loss is Infinity/);
  });
});

describe('cases that do not fit are refused in one line that names the key', () => {
  const x = float([2, 3], [1, 2, 3, 4, 5, 6]);
  test.each([
    ['cross-entropy', integer([2], [0, 3]), {}, /case\.json: loss\.target: class 3 is outside 0 … 2/],
    ['cross-entropy', float([2], [0, 1]), {}, /loss\.target: must be int64/],
    ['cross-entropy', integer([3], [0, 1, 2]), {}, /the target has shape \[3\]; for logits \[2,3\]/],
    ['mse', float([2], [0, 1]), {}, /loss\.target: has shape \[2\], but the output has \[2,3\]/],
    ['mse', float([2, 3], [0, 1]), {}, /loss\.target: dims \[2,3\] need 6 elements, but data has 2/],
    ['mse', x, { input_lengths: integer([2], [1, 1]) }, /are for ctc only/],
    ['mse', x, { output: 'scores' }, /no output 'scores'; its outputs are 'logits'/],
    ['mse', x, { reduction: 'sum' }, /loss: .*"reduction"/],
    ['ctc', integer([2, 1], [1, 1]), {}, /output 'logits' is \[2,3\]; it must be \[batch, frames, symbols\]/],
    ['ctc', integer([2], [1, 1]), {}, /must be \[batch, length\] for ctc/],
    [
      'ctc',
      integer([2, 1], [1, 1]),
      { target_lengths: integer([2], [2, 1]) },
      /loss\.target_lengths: 2 is outside 0 … 1/,
    ],
  ] as const)('%s, %#', async (kind, target, more, message) => {
    await expect((async () => gradientsOf(kind, x, target, more))()).rejects.toThrow(message);
  });

  test.each([
    [{}, /inputs\.x: missing; the model reads float32/],
    [{ x: integer([2, 3], [1, 2, 3, 4, 5, 6]) }, /inputs\.x: has type int64/],
    [{ x: float([6], [1, 2, 3, 4, 5, 6]) }, /inputs\.x: has dims \[6\]/],
    [{ x, z: x }, /inputs\.z: the model has no such input; it has x/],
  ])('inputs, %#', async (inputs, message) => {
    const given = parseGradientCase({ inputs, loss: { kind: 'mse', output: 'logits', target: x } }, 'case.json');
    await expect(modelGradients(shifted([2, 3]), given, 'case.json')).rejects.toThrow(message);
  });

  test('files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dpfl-case-'));
    try {
      expect(() => readGradientCase(join(folder, 'none.json'))).toThrow(/none\.json: cannot be read/);
      writeFileSync(join(folder, 'broken.json'), '{"inputs"');
      expect(() => readGradientCase(join(folder, 'broken.json'))).toThrow(/broken\.json: is not JSON/);
      writeFileSync(join(folder, 'empty.json'), '{}');
      expect(() => readGradientCase(join(folder, 'empty.json'))).toThrow(/empty\.json: inputs: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
