import { beforeAll, describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../../graph/builder.ts';
import { ctc } from '../../../graph/losses/ctc.ts';
import { encodeModel } from '../../../graph/onnx/write.ts';
import { namedStream } from '../../../random/stream.ts';
import { type CtcUtterance, ctcGradient, meanCtcLoss, negativeLogLikelihood } from '../../support/ctc-oracle.ts';

let session: ort.InferenceSession;

beforeAll(async () => {
  const b = new GraphBuilder();
  const values = ctc(b, {
    logits: b.input('logits', 'float32', ['batch', 'frames', 'symbols']),
    lengths: b.input('lengths', 'int64', ['batch']),
    targets: b.input('targets', 'int64', ['batch', 'labels']),
    targetLengths: b.input('target_lengths', 'int64', ['batch']),
  });
  const outputs = [
    b.op('Identity', [values.loss], {}, { outputNames: ['loss'] }),
    b.op('Identity', [values.logitsGradient], {}, { outputNames: ['gradient'] }),
  ];
  session = await ort.InferenceSession.create(encodeModel({ graph: b.build('ctc', outputs), opset: 21, weights: [] }), {
    graphOptimizationLevel: 'basic',
  });
});

interface Padding {
  readonly frames?: number;
  readonly labels?: number;
  /** What stands in the padding frames. */
  readonly fill?: number;
}

/** Loss and gradient (utterances × frames × symbols, padding frames included) of the graph. */
async function computed(utterances: readonly CtcUtterance[], { frames = 0, labels = 0, fill = 0 }: Padding = {}) {
  const symbols = utterances[0]!.logits[0]!.length;
  const longest = Math.max(...utterances.map(({ logits }) => logits.length)) + frames;
  const columns = Math.max(1, ...utterances.map(({ target }) => target.length)) + labels;
  const logits = new Float32Array(utterances.length * longest * symbols).fill(fill);
  const targets = new BigInt64Array(utterances.length * columns);
  for (const [i, utterance] of utterances.entries()) {
    logits.set(utterance.logits.flat(), i * longest * symbols);
    targets.set(utterance.target.map(BigInt), i * columns);
  }
  const count = utterances.length;
  const vector = (values: number[]) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [count]);
  const results = await session.run({
    logits: new ort.Tensor('float32', logits, [count, longest, symbols]),
    lengths: vector(utterances.map((utterance) => utterance.logits.length)),
    targets: new ort.Tensor('int64', targets, [count, columns]),
    target_lengths: vector(utterances.map(({ target }) => target.length)),
  });
  const flat = results.gradient!.data as Float32Array;
  const gradient = utterances.map((_, i) =>
    Array.from({ length: longest }, (_, t) =>
      Array.from(flat.subarray((i * longest + t) * symbols, (i * longest + t + 1) * symbols)),
    ),
  );
  return { loss: Number(results.loss!.data[0]), gradient };
}

/** Uniform logits in ±scale. */
function draw(key: number, frames: number, symbols: number, scale = 2): number[][] {
  const stream = namedStream('ctc', 'logits', key);
  return Array.from({ length: frames }, () =>
    Array.from({ length: symbols }, () => Math.fround(scale * (2 * stream.uniform() - 1))),
  );
}

/** Compares loss and every gradient entry with the oracle, the latter relative to the largest entry of each utterance. */
async function expectOracle(utterances: readonly CtcUtterance[], tolerance: number, padding?: Padding): Promise<void> {
  const { loss, gradient } = await computed(utterances, padding);
  const expected = meanCtcLoss(utterances);
  expect(Math.abs(loss - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, expected));
  for (const [i, { logits }] of utterances.entries()) {
    const reference = ctcGradient(utterances, i);
    const largest = Math.max(...reference.flat().map(Math.abs));
    const errors = gradient[i]!.flatMap((row, t) =>
      row.map((value, k) => Math.abs(value - (t < logits.length ? reference[t]![k]! : 0))),
    );
    expect(Math.max(...errors) / (largest || 1)).toBeLessThanOrEqual(tolerance);
  }
}

describe('the oracle', () => {
  test('sums over all alignments', () => {
    // Enumerates every path of 4 frames over 3 symbols and keeps those that collapse to the target.
    const logits = draw(0, 4, 3);
    const target = [1, 2];
    const probability = logits.map((row) => {
      const total = row.reduce((sum, v) => sum + Math.exp(v), 0);
      return row.map((v) => Math.exp(v) / total);
    });
    let sum = 0;
    for (let code = 0; code < 3 ** 4; code++) {
      const path = [0, 1, 2, 3].map((t) => Math.floor(code / 3 ** t) % 3);
      const collapsed = path.filter((symbol, t) => symbol !== 0 && symbol !== path[t - 1]);
      if (collapsed.join() === target.join()) sum += path.reduce((p, symbol, t) => p * probability[t]![symbol]!, 1);
    }
    expect(negativeLogLikelihood(logits, target)).toBeCloseTo(-Math.log(sum), 12);
  });
});

describe('CTC in the graph equals the log-domain oracle', () => {
  // float32 log-probabilities of a few units: sums of about ten of them are good to 1e-6; gradients are differences of exponentials.
  const tolerance = 1e-5;

  test('for one utterance', () => expectOracle([{ logits: draw(1, 6, 5), target: [1, 4, 2] }], tolerance));

  test('for utterances and targets of different lengths', () =>
    expectOracle(
      [
        { logits: draw(2, 9, 6), target: [5, 1, 3, 2] },
        { logits: draw(3, 4, 6), target: [2] },
        { logits: draw(4, 7, 6), target: [1, 2, 3] },
      ],
      tolerance,
    ));

  test('for repeated labels, which need a blank between them', () =>
    expectOracle(
      [
        { logits: draw(5, 8, 4), target: [2, 2, 3, 3, 2] },
        { logits: draw(6, 5, 4), target: [1, 1] },
      ],
      tolerance,
    ));

  test('for targets of one label', () =>
    expectOracle(
      [
        { logits: draw(7, 1, 3), target: [2] },
        { logits: draw(8, 5, 3), target: [1] },
      ],
      tolerance,
    ));

  test('for a target exactly as long as the utterance', () =>
    expectOracle([{ logits: draw(9, 4, 5), target: [1, 2, 3, 4] }], tolerance));

  test('for repeated labels that just fit', () =>
    expectOracle([{ logits: draw(10, 5, 3), target: [1, 1, 1] }], tolerance));

  test('for empty targets', () =>
    expectOracle(
      [
        { logits: draw(11, 5, 3), target: [] },
        { logits: draw(12, 4, 3), target: [2, 1] },
      ],
      tolerance,
    ));

  test('for a batch of empty targets only', () => expectOracle([{ logits: draw(13, 3, 4), target: [] }], tolerance));

  test('for a long utterance', () =>
    // 40 frames: log-probabilities sum to about 80, where float32 resolves 8e-6; posteriors inherit it.
    expectOracle([{ logits: draw(14, 40, 6), target: Array.from({ length: 12 }, (_, i) => (i % 5) + 1) }], 5e-5));

  test('for peaky logits', () =>
    // ±50: log-probabilities reach thousands, where float32 resolves 1e-4; the posterior is off by as much.
    expectOracle(
      [
        { logits: draw(15, 30, 6, 50), target: [1, 2, 2, 5, 3] },
        { logits: draw(16, 12, 6, 50), target: [4] },
      ],
      5e-4,
    ));
});

describe('CTC', () => {
  const utterances = [
    { logits: draw(20, 6, 5), target: [1, 4, 2] },
    { logits: draw(21, 4, 5), target: [3, 3] },
  ];

  test('ignores what stands in the padding', async () => {
    const plain = await computed(utterances);
    const padded = await computed(utterances, { frames: 3, labels: 2, fill: 40 });
    expect(padded.loss).toBeCloseTo(plain.loss, 6);
    for (const [i, { logits }] of utterances.entries()) {
      for (const [t, row] of padded.gradient[i]!.entries()) {
        for (const [k, value] of row.entries()) {
          if (t >= logits.length) expect(value).toBe(0);
          else expect(value).toBeCloseTo(plain.gradient[i]![t]![k]!, 6);
        }
      }
    }
    await expectOracle(utterances, 1e-5, { frames: 3, labels: 2, fill: -40 });
  });

  test.each([
    ['longer than the utterance', [1, 2, 3, 1, 2]],
    ['with repeats that do not fit', [1, 1, 1]],
  ])('gives no loss and no gradient for a target %s', async (_, target) => {
    const impossible = { logits: draw(22, 4, 5), target };
    const alone = await computed([impossible]);
    expect(alone.loss).toBe(0);
    expect(alone.gradient.flat(2).every((value) => value === 0)).toBe(true);
    const [feasible] = utterances;
    const mixed = await computed([impossible, feasible!]);
    expect(mixed.loss).toBeCloseTo(meanCtcLoss([feasible!]) / 2, 5);
    expect(mixed.gradient[0]!.flat().every((value) => value === 0)).toBe(true);
    await expectOracle([impossible, feasible!], 1e-5);
  });

  test('has gradients that sum to zero in every frame', async () => {
    const { gradient } = await computed(utterances);
    for (const row of gradient.flat()) expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 6);
  });
});
