import { ConfigError } from '../errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { int, ints, type Model, type Tensor } from '../graph/ir.ts';
import type { ResNetSettings } from './config.ts';
import { Initialiser } from './initialise.ts';

/**
 * A residual network (He et al. 2016) for small images: a 3×3 stem, stages of residual blocks whose width doubles and whose image halves
 * from one stage to the next, global average pooling and a dense layer. GroupNorm stands where the original has BatchNorm, whose
 * statistics would mix users. Input `image` [batch, channels, height, width], output `logits` [batch, classes].
 * @throws ConfigError when the width is not a multiple of the group size
 */
export function buildResNet(settings: ResNetSettings, seed: number | string): Model {
  const { imageShape, width, blocks, groupSize, classes } = settings;
  if (width % groupSize !== 0) {
    throw new ConfigError(
      `model.width: ${width} must be a multiple of model.groupSize (${groupSize}); try ${groupSize * Math.max(1, Math.round(width / groupSize))}`,
    );
  }
  const network = new Network(seed, groupSize);
  const { b } = network;
  let x = b.input('image', 'float32', ['batch', ...imageShape]);
  x = b.op('Relu', [network.convolution('stem', x, imageShape[0], width, 3, 1)], {}, { name: 'stem.relu' });
  let from = width;
  for (const [stage, count] of blocks.entries()) {
    const to = width * 2 ** stage;
    for (let i = 0; i < count; i++) {
      x = network.block(`stage${stage + 1}.block${i + 1}`, x, from, to, stage > 0 && i === 0 ? 2 : 1);
      from = to;
    }
  }
  const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [x], {}, { name: 'pool' })], { axis: int(1) });
  const weight = network.weight('output.weight', network.init.fanIn('output', [classes, from], from));
  const bias = network.weight('output.bias', network.init.constant([classes], 0));
  const logits = b.op('Gemm', [pooled, weight, bias], { transB: int(1) }, { name: 'output' });
  b.op('Identity', [logits], {}, { outputNames: ['logits'] });
  return { graph: b.build('resnet', ['logits']), opset: 21, weights: network.weights };
}

/** Writes layers and keeps the list of weights in their order. */
class Network {
  readonly b = new GraphBuilder();
  readonly init: Initialiser;
  readonly weights: string[] = [];
  readonly #groupSize: number;

  constructor(seed: number | string, groupSize: number) {
    this.init = new Initialiser(seed);
    this.#groupSize = groupSize;
  }

  weight(name: string, tensor: Tensor): string {
    this.weights.push(name);
    return this.b.constant(tensor, name);
  }

  /** Convolution without bias, padded to keep the image at stride 1, and GroupNorm. */
  convolution(name: string, x: string, from: number, to: number, kernel: number, stride: number): string {
    const weight = this.weight(`${name}.weight`, this.init.fanIn(name, [to, from, kernel, kernel], from * kernel ** 2));
    const pad = kernel >> 1;
    const window = {
      kernel_shape: ints([kernel, kernel]),
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
    };
    const convolved = this.b.op('Conv', [x, weight], window, { name });
    const scale = this.weight(`${name}.norm.scale`, this.init.constant([to], 1));
    const bias = this.weight(`${name}.norm.bias`, this.init.constant([to], 0));
    const groups = { num_groups: int(to / this.#groupSize) };
    return this.b.op('GroupNormalization', [convolved, scale, bias], groups, { name: `${name}.norm` });
  }

  /** relu(x + norm(conv(relu(norm(conv(x)))))), the x projected where its size changes. */
  block(name: string, x: string, from: number, to: number, stride: number): string {
    const { b } = this;
    const first = this.convolution(`${name}.conv1`, x, from, to, 3, stride);
    const activated = b.op('Relu', [first], {}, { name: `${name}.relu1` });
    const second = this.convolution(`${name}.conv2`, activated, to, to, 3, 1);
    const shortcut = from === to ? x : this.convolution(`${name}.shortcut`, x, from, to, 1, stride);
    return b.op('Relu', [b.op('Add', [second, shortcut], {}, { name: `${name}.sum` })], {}, { name });
  }
}
