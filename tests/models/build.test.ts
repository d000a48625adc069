import { describe, expect, test } from '@jest/globals';
import { ConfigError, ModelError } from '../../errors.ts';
import { layersOf } from '../../graph/forward.ts';
import { buildModel } from '../../models/build.ts';
import { modelConfig } from '../../models/config.ts';
import type { Task } from '../../models/task.ts';

const images: Task = { kind: 'classification', classes: Array.from('0123456789'), imageShape: [3, 32, 32] };
const speech: Task = { kind: 'transcription', alphabet: Array.from(' abc'), filters: 20 };

const cnn = modelConfig.parse({ kind: 'cnn' });
const transformer = modelConfig.parse({ kind: 'transformer-ctc', width: 16, heads: 2, mlp: 32 });

describe('the configured model', () => {
  test('simple_cnn has the parameters of pfl-research on CIFAR-10', () => {
    const layers = layersOf(buildModel(cnn, images, 1));
    expect(layers.map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
      'conv1.weight 32×3×3×3',
      'conv1.bias 32',
      'conv2.weight 64×32×3×3',
      'conv2.bias 64',
      'dense.weight 12544×128',
      'dense.bias 128',
      'output.weight 128×10',
      'output.bias 10',
    ]);
    expect(layers.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(1_626_442);
  });

  test('the perceptron has a dense layer per hidden width, and none is logistic regression', () => {
    const digits: Task = { ...images, imageShape: [1, 28, 28] };
    const shapes = (hidden: number[]) =>
      layersOf(buildModel(modelConfig.parse({ kind: 'mlp', hidden }), digits, 1)).map(({ name, shape }) => [
        name,
        ...shape,
      ]);
    expect(shapes([200, 100])).toEqual([
      ['dense1.weight', 200, 784],
      ['dense1.bias', 200],
      ['dense2.weight', 100, 200],
      ['dense2.bias', 100],
      ['output.weight', 10, 100],
      ['output.bias', 10],
    ]);
    expect(shapes([])).toEqual([
      ['output.weight', 10, 784],
      ['output.bias', 10],
    ]);
  });

  test('the residual network is ResNet-18 with GroupNorm by default', () => {
    const resnet = modelConfig.parse({ kind: 'resnet' });
    const layers = layersOf(buildModel(resnet, images, 1));
    // Of ResNet-18 for CIFAR-10 (a 3×3 stem): 20 convolutions with 2 vectors each, and the dense layer.
    expect(layers).toHaveLength(20 * 3 + 2);
    expect(layers.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(11_173_962);
    const narrow = layersOf(buildModel(modelConfig.parse({ kind: 'resnet', width: 16, blocks: [1, 1] }), images, 1));
    expect(narrow.map(({ name }) => name)).toContain('stage2.block1.shortcut.weight');
    const uneven = modelConfig.parse({ kind: 'resnet', width: 20 });
    expect(() => buildModel(uneven, images, 1)).toThrow(/^model\.width: 20 must be a multiple of .*\(16\); try 16$/);
  });

  test('takes its input and output sizes from the data', () => {
    const layers = new Map(layersOf(buildModel(transformer, speech, 1)).map(({ name, shape }) => [name, shape]));
    expect(layers.get('frontend.weight')).toEqual([16, 20, 9]);
    // Four symbols and the blank.
    expect(layers.get('output.weight')).toEqual([16, 5]);
  });

  test('depends on the seed, and on nothing else', () => {
    const weights = (seed: number | string) => {
      const { graph } = buildModel(transformer, speech, seed);
      return Array.from(graph.constants.get('block1.w1.weight')!.data as Float32Array);
    };
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)).not.toEqual(weights(2));
    expect(weights(0)).not.toEqual(weights('0'));
  });

  test('keeps its initial weights within the bounds of its scheme', () => {
    const { graph } = buildModel(transformer, speech, 3);
    const bound = Math.sqrt(6 / (16 + 32));
    const weights = Array.from(graph.constants.get('block1.w1.weight')!.data as Float32Array);
    expect(Math.max(...weights.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...weights)).toBeGreaterThan(0.95 * bound);
    expect(Math.min(...weights)).toBeLessThan(-0.95 * bound);
  });

  test('that does not fit the data is refused, naming the key', () => {
    expect(() => buildModel(cnn, speech, 1)).toThrow(ConfigError);
    expect(() => buildModel(cnn, speech, 1)).toThrow(/^model\.kind: 'cnn'.*'transformer-ctc'/);
    expect(() => buildModel(transformer, images, 1)).toThrow(/^model\.kind: 'transformer-ctc'.*'cnn'/);
    expect(() => buildModel({ kind: 'onnx', path: '/nowhere/m.onnx' }, images, 1)).toThrow(ModelError);
  });
});
