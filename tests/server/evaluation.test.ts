import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExampleBatch, Task } from '../../data/dataset.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import type { ForwardArtifact } from '../../graph/compile.ts';
import { int } from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { Evaluator } from '../../server/evaluation.ts';

/** logits = scale · field; loss = mean of `measured`: a forward graph whose results can be read off the examples. */
function forwardGraph(field: string, shape: (number | string)[], measured: string, lengths?: string): ForwardArtifact {
  const b = new GraphBuilder();
  const layers = [{ name: 'scale', shape: [shape.at(-1) as number] }];
  b.input('scale', 'float32', layers[0].shape);
  b.input(field, 'float32', shape);
  b.input(measured, 'int32', ['batch']);
  if (lengths !== undefined) b.input(lengths, 'int32', ['batch']);
  const mean = b.op('ReduceMean', [b.op('Cast', [measured], { to: int(1) })], { keepdims: int(0) });
  const outputs = [
    b.op('Mul', [field, 'scale'], {}, { outputNames: ['logits'] }),
    b.op('Identity', [mean], {}, { outputNames: ['loss'] }),
    ...(lengths === undefined ? [] : [b.op('Identity', [lengths], {}, { outputNames: ['output_lengths'] })]),
  ];
  return { onnx: encodeModel({ graph: b.build('forward', outputs), opset: 21, weights: [] }), layers };
}

const labels = [0, 1, 1, 0, 1, 1, 0];
/** The graph reads two numbers per example as logits; the larger one is right but for the examples 2 and 5. */
const images: ExampleBatch = {
  count: labels.length,
  fields: {
    image: {
      type: 'float32',
      dims: [labels.length, 2],
      data: Float32Array.from(
        labels.flatMap((label, i) => (i === 2 || i === 5 ? [label, 1 - label] : [1 - label, label])),
      ),
    },
    label: { type: 'int32', dims: [labels.length], data: Int32Array.from(labels) },
  },
};
const classification: Task = { kind: 'classification', classes: ['a', 'b'], imageShape: [1, 1, 2] };

describe('classification', () => {
  let evaluator: Evaluator;
  beforeAll(async () => {
    evaluator = await Evaluator.create(forwardGraph('image', ['batch', 2], 'label'), classification);
  });
  afterAll(() => evaluator.close());

  test.each([1, 3, 7, 100])('loss and accuracy weigh examples alike at batch size %p', async (batchSize) => {
    const record = await evaluator.evaluate(Float32Array.of(1, 1), images, batchSize);
    expect(record).toEqual({ examples: 7, loss: expect.closeTo(4 / 7, 6), accuracy: 5 / 7 });
  });

  test('the parameters are those given, not those of an earlier call', async () => {
    await evaluator.evaluate(Float32Array.of(1, 1), images, 4);
    // With all weights −1 the smaller number wins: right becomes wrong.
    expect((await evaluator.evaluate(Float32Array.of(-1, -1), images, 4)).accuracy).toBeCloseTo(2 / 7, 12);
    // Parameters may be a view into a larger buffer.
    const view = new Float32Array([9, 1, 1]).subarray(1);
    expect((await evaluator.evaluate(view, images, 4)).accuracy).toBe(5 / 7);
  });

  test('no examples, or parameters that are no numbers, are errors', async () => {
    const none = { count: 0, fields: images.fields };
    await expect(evaluator.evaluate(Float32Array.of(1, 1), none, 4)).rejects.toThrow('no held-out examples');
  });
});

test('a loss that is not finite is an error', async () => {
  const b = new GraphBuilder();
  b.input('scale', 'float32', [2]);
  b.input('image', 'float32', ['batch', 2]);
  const logits = b.op('Mul', ['image', 'scale'], {}, { outputNames: ['logits'] });
  const loss = b.op('ReduceMean', [b.op('Log', [logits])], { keepdims: int(0) });
  const outputs = [logits, b.op('Identity', [loss], {}, { outputNames: ['loss'] })];
  const onnx = encodeModel({ graph: b.build('forward', outputs), opset: 21, weights: [] });
  const evaluator = await Evaluator.create({ onnx, layers: [{ name: 'scale', shape: [2] }] }, classification);
  await expect(evaluator.evaluate(Float32Array.of(-1, -1), images, 4)).rejects.toThrow('training has diverged');
  await evaluator.close();
});

test('a graph that onnxruntime refuses is a model error', async () => {
  const broken = { onnx: new Uint8Array([1, 2, 3]), layers: [] };
  await expect(Evaluator.create(broken, classification)).rejects.toThrow('cannot open the forward graph');
});

describe('transcription', () => {
  const alphabet = ['a', 'b', ' '];
  const task: Task = { kind: 'transcription', alphabet, filters: 4 };
  /** What is said, and what the graph hears: one frame per symbol with a blank between, lengths unlike each other. */
  const utterances = [
    { said: 'a', heard: 'a' },
    { said: 'ab ba', heard: 'ab ab' },
    { said: 'b b b', heard: 'b b' },
    { said: 'aa', heard: '' },
  ];

  function speech(order: readonly number[]): ExampleBatch {
    const chosen = order.map((index) => utterances[index]);
    const frames = Math.max(...chosen.map(({ heard }) => 2 * heard.length), 1);
    const symbols = Math.max(...chosen.map(({ said }) => said.length));
    // Rows of padding would be heard as 'a', were they not left out.
    const features = new Float32Array(chosen.length * frames * 4).map((_, i) => (i % 4 === 1 ? 0.5 : 0));
    const targets = new Int32Array(chosen.length * symbols);
    chosen.forEach(({ said, heard }, row) => {
      [...heard].forEach((character, i) => {
        features[(row * frames + 2 * i) * 4 + alphabet.indexOf(character) + 1] = 2;
        features[(row * frames + 2 * i + 1) * 4] = 2;
      });
      [...said].forEach((character, i) => {
        targets[row * symbols + i] = alphabet.indexOf(character) + 1;
      });
    });
    const vector = (data: Int32Array) => ({ type: 'int32' as const, dims: [data.length], data });
    return {
      count: chosen.length,
      fields: {
        features: { type: 'float32', dims: [chosen.length, frames, 4], data: features },
        lengths: vector(Int32Array.from(chosen, ({ heard }) => 2 * heard.length)),
        targets: { type: 'int32', dims: [chosen.length, symbols], data: targets },
        target_lengths: vector(Int32Array.from(chosen, ({ said }) => said.length)),
      },
    };
  }

  let evaluator: Evaluator;
  beforeAll(async () => {
    const forward = forwardGraph('features', ['batch', 'frames', 4], 'target_lengths', 'lengths');
    evaluator = await Evaluator.create(forward, task);
  });
  afterAll(() => evaluator.close());

  // Words: 'ba' heard as 'ab' (1), one 'b' lost (1), 'aa' lost (1), of 1 + 2 + 3 + 1.
  // Characters: ba → ab (2), ' b' lost (2), 'aa' lost (2), of 1 + 5 + 5 + 2.
  test.each([
    [[0, 1, 2, 3], 1],
    [[0, 1, 2, 3], 3],
    [[3, 1, 0, 2], 2],
    [[2, 0, 3, 1], 100],
  ])('order %p in batches of %p: the same corpus-level rates', async (order, batchSize) => {
    expect(await evaluator.evaluate(Float32Array.of(1, 1, 1, 1), speech(order), batchSize)).toEqual({
      examples: 4,
      loss: expect.closeTo(13 / 4, 6),
      wer: 3 / 7,
      cer: 6 / 13,
    });
  });
});
