import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readAdaptedModel } from '../../cli/adapted-model-file.ts';
import { checkModelFile, checkText } from '../../cli/check-model.ts';
import { compileModelFile } from '../../cli/compile-model.ts';
import { ConfigError } from '../../errors.ts';
import { decodeModel } from '../../graph/onnx/read.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const mlp = fixture('models/mlp.opset17.folded.onnx');
const batchNorm = fixture('batch-norm.onnx');

test('the train section on one line is that of a configuration', () => {
  const { model, trained } = readAdaptedModel(batchNorm, { train: '{include: [output.*], exclude: ["*.bias"]}' });
  expect(model.weights).toEqual(['output.weight']);
  expect(trained).toBe(72);
});

test.each([
  ['exclude', /^--train: .*expected object/],
  ['{include: [', /^--train: is not a section on one line/],
  ['{lora: {rnk: 2}}', /^--train: lora\.rank: .*; lora: .*"rnk".*; see docs\/configuration\.md#train$/],
  ['{exclude: [outptu.*]}', /^train\.exclude: 'outptu\.\*' fits no layer.*'output\./],
])('%s is refused in one line', (train, message) => {
  expect(() => readAdaptedModel(batchNorm, { train })).toThrow(ConfigError);
  expect(() => readAdaptedModel(batchNorm, { train })).toThrow(message);
});

test('a check counts trained and frozen parameters, and says what becomes of BatchNorm', async () => {
  const check = await checkModelFile(
    batchNorm,
    { batch: 10, length: 100 },
    { train: '{lora: {rank: 2}}', batchNorm: 'freeze' },
  );
  expect(check).toMatchObject({
    trainable: true,
    parameters: 150,
    frozen: 1935,
    batchNorm: { handling: 'freeze', nodes: 3 },
  });
  expect(checkText(check)).toMatch(/\nlayers {6}4, 150 parameters trained; 1,935 frozen\n/);
  expect(checkText(check)).toMatch(
    /\nbatch norm {2}3 BatchNormalization nodes keep the stored statistics, as model\.batchNorm says/,
  );
  expect(checkText(check)).toMatch(/\nadapters {4}LoRA of rank 2/);
});

test('a compiled step takes and gives the trained layers alone', async () => {
  const onnx = await compileModelFile(mlp, undefined, { train: '{lora: {rank: 1}}' });
  const { graph } = decodeModel(onnx, 'step.onnx');
  const layers = graph.inputs.map(({ name }) => name).filter((name) => name.startsWith('parameters/'));
  expect(layers.length).toBeGreaterThan(0);
  expect(layers.filter((name) => !/\.lora_[AB]$/.test(name))).toEqual([]);
});
