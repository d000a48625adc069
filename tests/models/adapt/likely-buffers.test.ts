import { expect, test } from '@jest/globals';
import { float32Tensor, type Model, type Node } from '../../../graph/ir.ts';
import { bufferHint, likelyBuffers } from '../../../models/adapt/likely-buffers.ts';
import { buildCnn } from '../../../models/cnn.ts';

function withWeights(values: Record<string, number[]>, nodes: Node[] = []): Model {
  const constants = new Map(Object.entries(values).map(([name, data]) => [name, float32Tensor([data.length], data)]));
  return { graph: { name: 'g', inputs: [], outputs: [], nodes, constants }, opset: 17, weights: [...constants.keys()] };
}

const found = (model: Model) => likelyBuffers(model).map(({ name }) => name);

test.each([
  ['causal', [0, Number.NEGATIVE_INFINITY], 'it holds -Infinity'],
  ['scores', [-1e9, 0, 0], 'it holds -1000000000'],
  ['onnx::Mul_7', [1, 1, 0], 'zeros and ones'],
  ['decoder.attn_mask', [0.5, 0.5], 'its name'],
  ['positions.pe', [0.1, 0.2], 'its name'],
  ['stft.win', [0.1, 0.2], 'its name'],
  ['norm.mean', [0.1, 0.2], 'its name'],
  ['rotary_emb.inv_freq', [0.1, 0.2], 'its name'],
  ['final_logits_bias', [0.1, 0.2], 'its name'],
])('%s %j looks like a buffer, since %s', (name, data, why) => {
  const [buffer] = likelyBuffers(withWeights({ [name]: data }));
  expect(buffer).toMatchObject({ name, why: expect.stringContaining(why) });
  expect(bufferHint(buffer!)).toContain(`'${name}'`);
  expect(bufferHint(buffer!)).toContain('train.exclude');
});

test('weights do not: fresh scales and biases, a forget gate, a name that only begins alike', () => {
  const lstm = { name: 'lstm', op: 'LSTM', domain: '', inputs: ['x', 'w', 'r', 'b'], outputs: ['y'], attributes: {} };
  expect(
    found(
      withWeights(
        {
          scale: [1, 1],
          bias: [0, 0],
          b: [0, 1],
          'mask_head.weight': [0.1, 0.2],
          'pe.bias': [2],
          'rotary.proj.weight': [0.1, 0.2],
        },
        [lstm],
      ),
    ),
  ).toEqual([]);
  expect(found(buildCnn({ kind: 'cnn', channels: [2], hidden: 3, imageShape: [1, 8, 8], classes: 2 }, 1))).toEqual([]);
});

test('a table that the exporter computed looks like one', () => {
  const gather = { name: 'g', op: 'Gather', domain: '', inputs: ['val_3', 'i'], outputs: ['y'], attributes: {} };
  expect(found(withWeights({ val_3: [0.5, 0.7], val_4: [0.5, 0.7] }, [gather]))).toEqual(['val_3']);
});
