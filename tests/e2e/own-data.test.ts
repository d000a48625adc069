import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../graph/builder.ts';
import { float32Tensor, type Model } from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { namedStream } from '../../random/stream.ts';
import { npyBytes } from '../data/npy-bytes.ts';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, records, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;

/** Two tags per example, each the sign of one of its coordinates, for users with two to four examples. */
function writeData(folder: string): void {
  const stream = namedStream('own data', 'examples');
  for (const [part, count] of [
    ['train', 240],
    ['test', 60],
  ] as const) {
    mkdirSync(join(folder, part), { recursive: true });
    const x = Array.from({ length: 4 * count }, () => 2 * stream.uniform() - 1);
    const tags = Array.from({ length: 2 * count }, (_, i) => Number(x[4 * Math.floor(i / 2) + (i % 2)]! > 0));
    const save = (name: string, bytes: Uint8Array) => writeFileSync(join(folder, part, `${name}.npy`), bytes);
    save('x', npyBytes('<f4', [count, 4], x));
    save('tags', npyBytes('|u1', [count, 2], tags));
    if (part === 'train') {
      const users = Array.from({ length: count }, () => stream.integer(80));
      save('user', npyBytes('<i8', [count], users));
    }
  }
}

/** A linear model, which also computes its mean squared error. */
function model(): Model {
  const b = new GraphBuilder();
  const weight = b.constant(float32Tensor([4, 2], new Float32Array(8)), 'weight');
  b.op('MatMul', [b.input('x', 'float32', ['batch', 4]), weight], {}, { outputNames: ['scores'] });
  const wanted = b.op('Cast', [b.input('tags', 'int32', ['batch', 2])], { to: { kind: 'int', value: 1 } });
  const difference = b.op('Sub', ['scores', wanted]);
  const square = b.op('Mul', [difference, difference]);
  b.op('ReduceMean', [square], { keepdims: { kind: 'int', value: 0 } }, { outputNames: ['cost'] });
  return { graph: b.build('linear', ['scores', 'cost']), opset: 21, weights: ['weight'] };
}

describeBuilt('arrays and a model of the user’s own', () => {
  afterAll(cleanUp);

  const changes = {
    model: { kind: 'onnx', path: 'linear.onnx' },
    data: { kind: 'npy', path: 'arrays' },
    loss: { kind: 'bce', target: 'tags' },
    seedModel: undefined,
    local: { steps: 4, batchSize: 3, learningRate: 1 },
    federation: { rounds: 4, expectedCohort: 20, shardSize: 4, workers: 2 },
    optimizer: { kind: 'sgd', learningRate: 1 },
    privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 0.2 }, delta: 1e-3 },
  };

  test(
    'learn several labels at once, or by the model’s own loss',
    async () => {
      const directory = tinyDirectory(changes);
      writeData(join(directory, 'arrays'));
      writeFileSync(join(directory, 'linear.onnx'), encodeModel(model()));
      expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
      const run = join(directory, 'runs', 'tiny-001');
      const evaluations = records(run).flatMap(({ evaluation }) => (evaluation ? [evaluation] : []));
      expect(evaluations[0]).toMatchObject({ loss: expect.closeTo(Math.log(2), 5) });
      expect((evaluations.at(-1) as { accuracy?: number }).accuracy).toBeGreaterThan(0.85);
      expect(readFileSync(join(run, 'report.md'), 'utf8')).toContain('| loss | bce (target tags) |');

      const own = ['run', 'tiny.yaml', '--set', 'loss={kind: output, output: cost}'];
      expect(await dpfl([...own, '--output', 'two'], { cwd: directory })).toMatchObject({ status: 0 });
      expect(
        await dpfl([...own, '--output', 'none', '--set', 'federation.workers=0'], { cwd: directory }),
      ).toMatchObject({ status: 0 });
      const losses = records(join(directory, 'two', 'tiny-001')).flatMap(({ evaluation }) => evaluation?.loss ?? []);
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
      const outcomes = ['two', 'none'].map((output) => outcomeOf(join(directory, output, 'tiny-001')));
      expect(outcomes[0]).toEqual(outcomes[1]);
    },
    PATIENCE,
  );

  test('a loss that does not fit ends before anything is written', async () => {
    const directory = tinyDirectory({ ...changes, loss: { kind: 'bce', target: 'labels' } });
    writeData(join(directory, 'arrays'));
    writeFileSync(join(directory, 'linear.onnx'), encodeModel(model()));
    const ended = await dpfl(['run', 'tiny.yaml'], { cwd: directory });
    expect(ended).toMatchObject({ status: 2 });
    expect(ended.stderr).toMatch(/loss\.target: the data has no field 'labels'; name one of its fields: tags, x/);
  });
});
