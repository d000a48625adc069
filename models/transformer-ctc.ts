import { ConfigError } from '../errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { float32Tensor, int, ints, type Model, type Tensor } from '../graph/ir.ts';
import type { TransformerCtcSettings } from './config.ts';
import { Initialiser } from './initialise.ts';

/** Added to attention scores of padding frames; exp of it is 0 in float32. */
const masked = -1e9;

/**
 * The paper's encoder in small (arXiv:2310.00098 §3): convolutional frontend with a stride, sinusoidal positions, pre-LayerNorm
 * transformer blocks, and a linear layer to CTC symbols. Layers are named as in the paper's figures: frontend, wqkv, wf (attention
 * output), w1, w2 (MLP), ln1, ln2, output.
 *
 * Inputs `features` float32 [batch, frames, filters] and `lengths` int64 [batch]; outputs `logits` [batch, ceil(frames / stride),
 * vocabulary] and `output_lengths` int64 [batch]. Padding frames change nothing.
 * @throws ConfigError when the width is not an even multiple of the heads
 */
export function buildTransformerCtc(settings: TransformerCtcSettings, seed: number | string): Model {
  const { width, heads, stride, filters, vocabulary, blocks } = settings;
  if (width % heads !== 0 || width % 2 !== 0) {
    throw new ConfigError(
      `model.width: ${width} must be even and a multiple of model.heads (${heads}); try ${heads * 2 * Math.max(1, Math.round(width / heads / 2))}`,
    );
  }
  const network = new Network(seed);
  const { b } = network;
  const features = b.input('features', 'float32', ['batch', 'frames', filters]);
  const lengths = b.input('lengths', 'int64', ['batch']);
  const outputLengths = b.op(
    'Div',
    [b.op('Add', [lengths, b.index(stride - 1)]), b.index(stride)],
    {},
    { outputNames: ['output_lengths'] },
  );

  const kernel = 2 * stride + 1;
  const weight = network.weight(
    'frontend.weight',
    network.init.glorot('frontend', [width, filters, kernel], filters * kernel, width),
  );
  const bias = network.weight('frontend.bias', network.init.constant([width], 0));
  const planes = b.op('Transpose', [features], { perm: ints([0, 2, 1]) }, { name: 'frontend.planes' });
  const window = { kernel_shape: ints([kernel]), strides: ints([stride]), pads: ints([stride, stride]) };
  const convolved = b.op('Conv', [planes, weight, bias], window, { name: 'frontend' });
  const frontend = b.op(
    'Gelu',
    [b.op('Transpose', [convolved], { perm: ints([0, 2, 1]) })],
    {},
    { name: 'frontend.gelu' },
  );
  const positions = countFrames(b, frontend);
  const placed = b.op('Add', [frontend, sinusoids(b, positions, width)], {}, { name: 'frontend.positions' });
  let x = network.dropout('frontend.dropout', placed, settings.dropout ?? 0);

  const padding = b.op('GreaterOrEqual', [positions, b.op('Unsqueeze', [outputLengths, b.axes([1])])]);
  const mask = b.op(
    'Where',
    [b.op('Unsqueeze', [padding, b.axes([1, 2])]), b.scalar(masked), b.scalar(0)],
    {},
    { name: 'mask' },
  );
  for (let i = 0; i < blocks; i++) x = network.block(`block${i + 1}`, x, mask, settings);
  const normalised = network.layerNorm('ln', x, width);
  const logits = network.linear('output', normalised, width, vocabulary);
  b.op('Identity', [logits], {}, { outputNames: ['logits'] });
  return { graph: b.build('transformer_ctc', ['logits', 'output_lengths']), opset: 21, weights: network.weights };
}

/** Writes layers and keeps the list of weights in their order. */
class Network {
  readonly b = new GraphBuilder();
  readonly init: Initialiser;
  readonly weights: string[] = [];

  constructor(seed: number | string) {
    this.init = new Initialiser(seed);
  }

  weight(name: string, tensor: Tensor): string {
    this.weights.push(name);
    return this.b.constant(tensor, name);
  }

  linear(name: string, x: string, from: number, to: number): string {
    const weight = this.weight(`${name}.weight`, this.init.glorot(name, [from, to], from, to));
    const bias = this.weight(`${name}.bias`, this.init.constant([to], 0));
    return this.b.op('Add', [this.b.op('MatMul', [x, weight], {}, { name: `${name}.product` }), bias], {}, { name });
  }

  layerNorm(name: string, x: string, width: number): string {
    const scale = this.weight(`${name}.scale`, this.init.constant([width], 1));
    const bias = this.weight(`${name}.bias`, this.init.constant([width], 0));
    return this.b.op('LayerNormalization', [x, scale, bias], { axis: int(-1) }, { name });
  }

  /** x + attention(ln1(x)), then + mlp(ln2(·)). */
  block(name: string, x: string, mask: string, settings: TransformerCtcSettings): string {
    const { b } = this;
    const { width, mlp, dropout = 0, layerDrop = 0 } = settings;
    // Both branches go or stay together. Scaled like dropout, so that evaluation has the mean over skipping and not skipping.
    const gate =
      layerDrop > 0 ? this.dropout(`${name}.layer_drop`, b.constant(float32Tensor([1], [1])), layerDrop) : '';
    const branch = (branchName: string, value: string) => {
      const dropped = this.dropout(`${branchName}.dropout`, value, dropout);
      return gate === '' ? dropped : b.op('Mul', [dropped, gate], {}, { name: `${branchName}.gate` });
    };
    const attended = this.attention(name, this.layerNorm(`${name}.ln1`, x, width), mask, settings);
    const between = b.op('Add', [x, branch(`${name}.attention`, attended)], {}, { name: `${name}.attention` });
    const hidden = this.linear(`${name}.w1`, this.layerNorm(`${name}.ln2`, between, width), width, mlp);
    const activated = b.op('Gelu', [hidden], {}, { name: `${name}.gelu` });
    const active = this.dropout(`${name}.gelu.dropout`, activated, dropout);
    const product = this.linear(`${name}.w2`, active, mlp, width);
    return b.op('Add', [between, branch(`${name}.mlp`, product)], {}, { name: `${name}.mlp` });
  }

  /** Dropout in training; nothing is written for a ratio of 0. */
  dropout(name: string, x: string, ratio: number): string {
    if (ratio === 0) return x;
    const training = this.b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
    return this.b.op('Dropout', [x, this.b.scalar(ratio), training], {}, { name });
  }

  private attention(name: string, x: string, mask: string, settings: TransformerCtcSettings): string {
    const { b } = this;
    const { width, heads, dropout = 0 } = settings;
    const size = width / heads;
    const joined = b.reshape(this.linear(`${name}.wqkv`, x, width, 3 * width), [0, 0, 3 * heads, size]);
    // One transpose for the three: [batch, 3 · heads, frames, size].
    const byHead = b.op('Transpose', [joined], { perm: ints([0, 2, 1, 3]) }, { name: `${name}.heads` });
    const [query, key, value] = b.node(
      'Split',
      [byHead, b.axes([heads, heads, heads])],
      { axis: int(1) },
      { outputs: 3, name: `${name}.qkv` },
    );
    const keys = b.op('Transpose', [key!], { perm: ints([0, 1, 3, 2]) }, { name: `${name}.keys` });
    const product = b.op('MatMul', [query!, keys], {}, { name: `${name}.scores` });
    const scores = b.op(
      'Add',
      [b.op('Mul', [product, b.scalar(1 / Math.sqrt(size))]), mask],
      {},
      { name: `${name}.masked` },
    );
    const weights = b.op('Softmax', [scores], { axis: int(-1) }, { name: `${name}.softmax` });
    const used = this.dropout(`${name}.softmax.dropout`, weights, dropout);
    const mixed = b.op('MatMul', [used, value!], {}, { name: `${name}.mixed` });
    const merged = b.reshape(b.op('Transpose', [mixed], { perm: ints([0, 2, 1, 3]) }), [0, 0, width]);
    return this.linear(`${name}.wf`, merged, width, width);
  }
}

/** 0 … frames − 1, int64. */
function countFrames(b: GraphBuilder, x: string): string {
  const frames = b.op('Squeeze', [b.op('Shape', [x], { start: int(1), end: int(2) }), b.axes([0])]);
  return b.op('Range', [b.index(0), frames, b.index(1)], {}, { name: 'positions' });
}

/** Sinusoidal positions (Vaswani et al. 2017), sines then cosines: [frames, width]. */
function sinusoids(b: GraphBuilder, positions: string, width: number): string {
  const frequencies = Float32Array.from({ length: width / 2 }, (_, i) => 10000 ** ((-2 * i) / width));
  const times = b.op('Unsqueeze', [b.op('Cast', [positions], { to: int(1) }), b.axes([1])]);
  const angles = b.op('Mul', [times, b.constant(float32Tensor([1, width / 2], frequencies))]);
  return b.op(
    'Concat',
    [b.op('Sin', [angles]), b.op('Cos', [angles])],
    { axis: int(1) },
    { name: 'positions.sinusoids' },
  );
}
