import { GraphBuilder } from '../graph/builder.ts';
import { int, ints, type Model, type Tensor } from '../graph/ir.ts';
import type { CnnSettings } from './config.ts';
import { Initialiser } from './initialise.ts';

/**
 * The `simple_cnn` of pfl-research: 3×3 convolutions without padding, each with a ReLU, a 2×2 max-pool, a dense layer with ReLU, and
 * the classifier. Input `image` [batch, channels, height, width], output `logits` [batch, classes].
 */
export function buildCnn(settings: CnnSettings, seed: number | string): Model {
  const b = new GraphBuilder();
  const init = new Initialiser(seed);
  const weights: string[] = [];
  const weight = (name: string, tensor: Tensor) => {
    weights.push(name);
    return b.constant(tensor, name);
  };
  let [channels] = settings.imageShape;
  let x = b.input('image', 'float32', ['batch', ...settings.imageShape]);
  for (const [i, filters] of settings.channels.entries()) {
    const name = `conv${i + 1}`;
    const kernel = weight(`${name}.weight`, init.fanIn(name, [filters, channels, 3, 3], channels * 9));
    const bias = weight(`${name}.bias`, init.fanIn(`${name}.bias`, [filters], channels * 9));
    x = b.op(
      'Relu',
      [b.op('Conv', [x, kernel, bias], { kernel_shape: ints([3, 3]) }, { name })],
      {},
      { name: `${name}.relu` },
    );
    channels = filters;
  }
  x = b.op('MaxPool', [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }, { name: 'pool' });
  x = b.op('Flatten', [x], { axis: int(1) }, { name: 'flatten' });
  const features = b.shape(x)[1] as number;
  const dense = (name: string, input: string, to: number, tensor: Tensor) =>
    b.op(
      'Gemm',
      [input, weight(`${name}.weight`, tensor), weight(`${name}.bias`, init.constant([to], 0))],
      {},
      { name },
    );
  const hidden = dense('dense', x, settings.hidden, init.fanIn('dense', [features, settings.hidden], features));
  x = b.op('Relu', [hidden], {}, { name: 'dense.relu' });
  const { classes } = settings;
  const output = init.glorot('output', [settings.hidden, classes], settings.hidden, classes);
  b.op('Identity', [dense('output', x, classes, output)], {}, { outputNames: ['logits'] });
  return { graph: b.build('cnn', ['logits']), opset: 21, weights };
}
