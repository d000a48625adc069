import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { float32Tensor, int, type Model, type Node } from '../../graph/ir.ts';
import { decodeModel, readModelFile } from '../../graph/onnx/read.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { namedStream } from '../../random/stream.ts';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, tinyDirectory, writeConfig } from './support/tiny-run.ts';

const PATIENCE = 90_000;

/** A perceptron with BatchNorm, whose first weights are masked by a stored tensor. */
function userModel(): Model {
  const stream = namedStream('adapted model', 'weights');
  const tensor = (...dims: number[]) =>
    float32Tensor(
      dims,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => stream.uniform() - 0.5),
    );
  const vector = (value: number) => float32Tensor([16], new Float32Array(16).fill(value));
  const node = (name: string, op: string, inputs: string[], output: string, attributes: Node['attributes'] = {}) => ({
    name,
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  const statistics = ['norm.running_mean', 'norm.running_var'];
  const graph = {
    name: 'user',
    inputs: [{ name: 'image', dtype: 'float32' as const, shape: ['batch', 1, 6, 6] }],
    outputs: [{ name: 'logits', dtype: 'float32' as const, shape: ['batch', 4] }],
    nodes: [
      node('/flat', 'Flatten', ['image'], 'flat', { axis: int(1) }),
      node('/masked', 'Mul', ['flat', 'pixel_mask'], 'masked'),
      node('/hidden', 'Gemm', ['masked', 'hidden.weight', 'hidden.bias'], 'hidden', { transB: int(1) }),
      node('/norm', 'BatchNormalization', ['hidden', 'norm.weight', 'norm.bias', ...statistics], 'normalised'),
      node('/relu', 'Relu', ['normalised'], 'activated'),
      node('/output', 'MatMul', ['activated', 'output.weight'], 'product'),
      node('/logits', 'Add', ['product', 'output.bias'], 'logits'),
    ],
    constants: new Map([
      [
        'pixel_mask',
        float32Tensor(
          [36],
          Array.from({ length: 36 }, (_, i) => Number(i % 5 > 0)),
        ),
      ],
      ['hidden.weight', tensor(16, 36)],
      ['hidden.bias', tensor(16)],
      ['norm.weight', vector(1)],
      ['norm.bias', vector(0)],
      ['norm.running_mean', vector(0)],
      ['norm.running_var', vector(1)],
      ['output.weight', tensor(16, 4)],
      ['output.bias', tensor(4)],
    ]),
  };
  const trained = [...graph.constants.keys()].filter((name) => !name.includes('running'));
  return { graph, opset: 17, weights: trained };
}

const CHANGES = {
  model: { kind: 'onnx', path: 'user.onnx' },
  train: { lora: { rank: 2, alpha: 4, targets: ['hidden.*'] }, include: ['output.*'] },
  data: {
    kind: 'synthetic-images',
    population: 1000,
    samplesPerUser: 6,
    imageShape: [1, 6, 6],
    classes: 4,
    evaluationSamples: 40,
  },
  seedModel: undefined,
  local: { steps: 4, batchSize: 3, learningRate: 0.5 },
  federation: { rounds: 8, expectedCohort: 8, shardSize: 2, workers: 2 },
  optimizer: { kind: 'sgd', learningRate: 1 },
  privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 0.1 }, delta: 1e-4 },
};

describeBuilt('a model of the user’s own, with LoRA, frozen layers and BatchNorm', () => {
  let directory: string;
  let run: string;
  let stderr: string;

  beforeAll(async () => {
    directory = tinyDirectory(CHANGES);
    run = join(directory, 'runs', 'tiny-001');
    writeFileSync(join(directory, 'user.onnx'), encodeModel(userModel()));
    const ended = await dpfl(['run', 'tiny.yaml'], { cwd: directory });
    expect(ended).toMatchObject({ status: 0 });
    stderr = ended.stderr;
  }, PATIENCE);
  afterAll(cleanUp);

  const trainedParameters = 2 * (36 + 16) + 16 * 4 + 4;
  const frozenParameters = 36 + 16 * 36 + 16 + 16 + 16;

  test('run, manifest and report say what is trained, what became of BatchNorm, and why', () => {
    expect(stderr).toContain(`${trainedParameters} parameters in 4 layers trained, ${frozenParameters} frozen`);
    expect(stderr).toContain('1 BatchNormalization node became GroupNorm; the file carries no trained statistics');
    expect(stderr).toContain('LoRA of rank 2 (alpha 4) on 1 matrix, beside 2 layers trained whole');
    const manifest = JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ parameters: trainedParameters, frozenParameters });
    const report = readFileSync(join(run, 'report.md'), 'utf8');
    expect(report).toContain(`${trainedParameters} parameters trained, ${frozenParameters} frozen`);
    expect(report).toMatch(/\| batch normalisation \| 1 BatchNormalization node became GroupNorm; .*leak \|/);
    expect(report).toMatch(/\| adapters \| LoRA of rank 2 .* merged \|/);
    for (const layer of ['hidden.weight.lora_A', 'hidden.weight.lora_B', 'output.weight', 'output.bias'])
      expect(report).toContain(`| \`${layer}\` |`);
    expect(report).not.toContain('`hidden.bias`');
  });

  test('the trained file is whole: adapted and included weights changed, the others are those of the user', () => {
    const [before, after] = [userModel(), readModelFile(join(run, 'model.onnx'))];
    expect(after.weights).toEqual(before.weights);
    const same = (name: string) =>
      Buffer.compare(
        Buffer.from((before.graph.constants.get(name)!.data as Float32Array).slice().buffer),
        Buffer.from((after.graph.constants.get(name)!.data as Float32Array).slice().buffer),
      ) === 0;
    const changed = before.weights.filter((name) => !same(name));
    expect(changed).toEqual(['hidden.weight', 'output.weight', 'output.bias']);
    expect(after.graph.nodes.map(({ op }) => op)).not.toContain('BatchNormalization');
  });

  test(
    'adapters may be written as such',
    async () => {
      const set = ['--set', 'train.lora.write=adapters', '--output', 'kept'];
      expect(await dpfl(['run', 'tiny.yaml', ...set], { cwd: directory })).toMatchObject({ status: 0 });
      const kept = decodeModel(readFileSync(join(directory, 'kept', 'tiny-001', 'model.onnx')), 'model.onnx');
      expect(kept.weights).toEqual([...userModel().weights, 'hidden.weight.lora_A', 'hidden.weight.lora_B']);
    },
    PATIENCE,
  );

  test(
    'interrupted and resumed it ends in the same bits',
    async () => {
      const command = new Command(['run', 'tiny.yaml', '--output', 'interrupted'], { cwd: directory });
      // Not before: adapters that nobody has trained add nothing.
      await command.line(/^round 2\/8/m);
      command.kill('SIGINT');
      expect((await command.ended).status).toBe(130);
      const half = join(directory, 'interrupted', 'tiny-001');
      // Half-trained already written, with whatever the adapters hold by now.
      expect(readModelFile(join(half, 'model.onnx')).weights).toEqual(userModel().weights);
      expect(await dpfl(['run', '--resume', half], { cwd: directory })).toMatchObject({ status: 0 });
      expect(outcomeOf(half)).toEqual(outcomeOf(run));
    },
    PATIENCE,
  );

  test(
    'with other frozen weights in the file it is not resumed',
    async () => {
      const changed = userModel();
      (changed.graph.constants.get('hidden.bias')!.data as Float32Array)[0]! += 1;
      writeFileSync(join(directory, 'user.onnx'), encodeModel(changed));
      const { status, stderr: message } = await dpfl(['run', '--resume', run, '--set', 'federation.rounds=9'], {
        cwd: directory,
      });
      writeFileSync(join(directory, 'user.onnx'), encodeModel(userModel()));
      expect({ status, message }).toEqual({
        status: 2,
        message: expect.stringContaining('the model is not what this run began with'),
      });
    },
    PATIENCE,
  );

  test(
    'without LoRA the mask is pointed out, and a pattern that fits nothing is one line',
    async () => {
      const check = await dpfl(['model', 'check', 'user.onnx', '--train', '{exclude: [hidden.bias]}'], {
        cwd: directory,
      });
      expect(check.stdout).toMatch(/parameters trained; 16 frozen/);
      expect(check.stdout).toMatch(
        /buffer\? {5}'pixel_mask' is trained like a weight, but it holds only zeros and ones/,
      );
      expect(check.stdout).toMatch(/batch norm {2}1 BatchNormalization node became GroupNorm/);
      writeConfig(join(directory, 'wrong.yaml'), { ...CHANGES, train: { include: ['ouput.*'] } });
      const wrong = await dpfl(['run', 'wrong.yaml'], { cwd: directory });
      expect(wrong.status).toBe(2);
      expect(wrong.stderr).toMatch(
        /^[^\n]*wrong\.yaml: train\.include: 'ouput\.\*' fits no layer[^\n]*'output\.[^\n]*\n$/,
      );
    },
    PATIENCE,
  );
});
