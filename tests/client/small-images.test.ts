import { describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileTraining, type TrainingArtifact } from '../../graph/compile.ts';
import { float32Tensor, int, ints, type Model } from '../../graph/ir.ts';
import { modelProto } from '../../graph/onnx/schema.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { namedStream } from '../../random/stream.ts';
import { imageExamples } from '../support/image-examples.ts';

const [channels, classes, count] = [64, 3, 10];

function values(name: string, length: number, scale: number): Float32Array {
  const stream = namedStream('small images', name);
  return Float32Array.from({ length }, () => scale * (2 * stream.uniform() - 1));
}

/**
 * A padded 3×3 convolution of 4×4 images, and a classifier.
 * @param onLarge whether the image is first set into a large one of zeros, and the same part of the result cut out
 */
function network(onLarge: boolean): Model {
  const b = new GraphBuilder();
  const weight = (name: string, dims: number[], scale: number) =>
    b.constant(
      float32Tensor(
        dims,
        values(
          name,
          dims.reduce((a, c) => a * c),
          scale,
        ),
      ),
      name,
    );
  const image = b.input('image', 'float32', ['batch', channels, 4, 4]);
  const kernel = weight('conv.weight', [channels, channels, 3, 3], 0.05);
  const bias = weight('conv.bias', [channels], 0.1);
  const convolve = (x: string) =>
    b.op('Conv', [x, kernel, bias], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) });
  const large = (x: string) => b.op('Pad', [x, b.axes([0, 0, 3, 3, 0, 0, 3, 3]), b.scalar(0)]);
  const centre = (y: string) => b.op('Slice', [y, b.axes([3, 3]), b.axes([7, 7]), b.axes([2, 3])]);
  const y = onLarge ? centre(convolve(large(image))) : convolve(image);
  const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [b.op('Relu', [y])])], { axis: int(1) });
  const output = weight('output.weight', [channels, classes], 0.3);
  b.op('Gemm', [pooled, output, weight('output.bias', [classes], 0.1)], {}, { outputNames: ['logits'] });
  const weights = ['conv.weight', 'conv.bias', 'output.weight', 'output.bias'];
  return { graph: b.build('small', ['logits']), opset: 21, weights };
}

const examples = imageExamples('small', count, [channels, 4, 4], classes);

interface Graph {
  readonly input: readonly { name: string }[];
  readonly node: readonly { opType: string; attribute: { name: string; g?: Graph }[] }[];
}

function loopOf({ onnx }: TrainingArtifact) {
  const { graph } = modelProto.decode(onnx) as unknown as { graph: Graph };
  const body = graph.node.find(({ opType }) => opType === 'Loop')!.attribute.find(({ name }) => name === 'body')!.g!;
  return {
    states: body.input.map(({ name }) => name).filter((name) => name.includes('conv.weight')),
    operators: body.node.map(({ opType }) => opType),
  };
}

describe('a convolution of small images, a product for each position of its kernel', () => {
  const compiled = (onLarge: boolean, clipped: boolean) => {
    const model = network(onLarge);
    const options = { batchSize: 4, clipped };
    return { model, artifact: compileTraining(model, bindModel(model, 'classification', 'small'), options) };
  };

  test('goes through the loop in as many parts, which nothing puts together', () => {
    const { states, operators } = loopOf(compiled(false, true).artifact);
    expect(states).toEqual(Array.from({ length: 9 }, (_, position) => `kernels/conv.weight/${position}`));
    for (const op of ['Conv', 'Concat', 'Split']) expect(operators).not.toContain(op);
    expect(loopOf(compiled(true, true).artifact).operators).toContain('Conv');
  });

  test.each([0.05, 1000, null])('takes the steps of a convolution, clipped to %p', async (maxGradientNorm) => {
    const settings = localConfig.parse({ epochs: 2, batchSize: 4, learningRate: 0.5, maxGradientNorm });
    const [products, plain] = await Promise.all(
      [false, true].map(async (onLarge) => {
        const { model, artifact } = compiled(onLarge, maxGradientNorm !== null);
        const trainer = await LocalTrainer.create(artifact);
        const start = parametersOf(model, trainer.layout);
        return { trainer, ...(await trainer.train(start, examples, settings, namedStream('small images', 'batches'))) };
      }),
    );
    expect(products!.loss).toBeCloseTo(plain!.loss, 5);
    for (const { offset, size, name } of products!.trainer.layout.layers) {
      const [found, expected] = [products!, plain!].map(({ delta }) => delta.subarray(offset, offset + size));
      const largest = Math.max(...expected!.map(Math.abs));
      const error = Math.max(...found!.map((value, i) => Math.abs(value - expected![i]!))) / largest;
      expect({ name, small: largest > 1e-6 && error < 2e-5 }).toEqual({ name, small: true });
    }
  });
});
