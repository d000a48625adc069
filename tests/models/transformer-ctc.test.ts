import { beforeAll, describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { ConfigError } from '../../errors.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import type { TransformerCtcSettings } from '../../models/config.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';
import { namedStream } from '../../random/stream.ts';

const settings: TransformerCtcSettings = {
  kind: 'transformer-ctc',
  stride: 3,
  blocks: 2,
  width: 8,
  heads: 2,
  mlp: 16,
  filters: 5,
  vocabulary: 6,
};

const stream = namedStream('transformer test', 'features');
const utterance = (frames: number) => Float32Array.from({ length: frames * 5 }, () => 2 * stream.uniform() - 1);

let session: ort.InferenceSession;

beforeAll(async () => {
  session = await ort.InferenceSession.create(encodeModel(buildTransformerCtc(settings, 1)));
});

async function run(utterances: readonly Float32Array[], frames: number) {
  const features = new Float32Array(utterances.length * frames * 5);
  for (const [i, values] of utterances.entries()) features.set(values, i * frames * 5);
  const { logits, output_lengths } = await session.run({
    features: new ort.Tensor('float32', features, [utterances.length, frames, 5]),
    lengths: new ort.Tensor(
      'int64',
      BigInt64Array.from(utterances, ({ length }) => BigInt(length / 5)),
    ),
  });
  return {
    dims: logits!.dims,
    logits: logits!.data as Float32Array,
    lengths: Array.from(output_lengths!.data as BigInt64Array, Number),
  };
}

describe('the CTC transformer', () => {
  test.each([
    [7, 3],
    [9, 3],
    [10, 4],
    [1, 1],
  ])('makes ceil(frames / stride) frames of %i: %i', async (frames, expected) => {
    const { dims, lengths } = await run([utterance(frames)], frames);
    expect(dims).toEqual([1, expected, 6]);
    expect(lengths).toEqual([expected]);
  });

  test('gives an utterance the same logits whatever padding and company it has', async () => {
    const [short, long] = [utterance(8), utterance(17)];
    const alone = await run([short], 8);
    const padded = await run([short, long], 20);
    expect(padded.lengths).toEqual([3, 6]);
    for (let i = 0; i < alone.logits.length; i++) expect(padded.logits[i]).toBeCloseTo(alone.logits[i]!, 5);
    const other = await run([long], 17);
    const offset = padded.dims[1]! * 6;
    for (let i = 0; i < other.logits.length; i++) expect(padded.logits[offset + i]).toBeCloseTo(other.logits[i]!, 5);
  });

  test('tells frames apart by their position', async () => {
    const constant = new Float32Array(15 * 5).fill(0.5);
    const { logits } = await run([constant], 15);
    // Away from the edges the features are the same; only the sinusoids differ.
    expect(Math.abs(logits[2 * 6]! - logits[3 * 6]!)).toBeGreaterThan(1e-4);
  });

  test('has the layers of the paper, in order', () => {
    const { weights, graph } = buildTransformerCtc({ ...settings, blocks: 1 }, 1);
    expect(weights.map((name) => `${name} ${graph.constants.get(name)!.dims.join('×')}`)).toEqual([
      'frontend.weight 8×5×7',
      'frontend.bias 8',
      'block1.ln1.scale 8',
      'block1.ln1.bias 8',
      'block1.wqkv.weight 8×24',
      'block1.wqkv.bias 24',
      'block1.wf.weight 8×8',
      'block1.wf.bias 8',
      'block1.ln2.scale 8',
      'block1.ln2.bias 8',
      'block1.w1.weight 8×16',
      'block1.w1.bias 16',
      'block1.w2.weight 16×8',
      'block1.w2.bias 8',
      'ln.scale 8',
      'ln.bias 8',
      'output.weight 8×6',
      'output.bias 6',
    ]);
  });

  test.each([
    [10, 4],
    [9, 3],
  ])('refuses width %i with %i heads and says which would do', (width, heads) => {
    const build = () => buildTransformerCtc({ ...settings, width, heads }, 1);
    expect(build).toThrow(ConfigError);
    const [, suggestion] = /try (\d+)/.exec(messageOf(build))!;
    expect(() => buildTransformerCtc({ ...settings, width: Number(suggestion), heads }, 1)).not.toThrow();
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
