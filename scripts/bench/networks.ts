import { type Attributes, int, ints, type Model, type Node, type Tensor, type Value } from '../../graph/ir.ts';
import { Initialiser } from '../../models/initialise.ts';

/** Writes ONNX nodes as an exporter would, for models that have no builder of their own. */
class Writer {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly init = new Initialiser(1);

  weight(name: string, tensor: Tensor): string {
    this.constants.set(name, tensor);
    return name;
  }

  op(op: string, name: string, inputs: readonly string[], attributes: Attributes = {}): string {
    this.nodes.push({ name, op, domain: '', inputs, outputs: [name], attributes });
    return name;
  }

  dense(name: string, x: string, from: number, to: number): string {
    const weight = this.weight(`${name}.weight`, this.init.fanIn(name, [to, from], from));
    const bias = this.weight(`${name}.bias`, this.init.constant([to], 0));
    return this.op('Gemm', name, [x, weight, bias], { transB: int(1) });
  }

  /** Convolution without bias, padded to keep the image at stride 1, and GroupNorm with groups of 16 channels. */
  convolution(name: string, x: string, from: number, to: number, kernel: number, stride: number): string {
    const weight = this.weight(`${name}.weight`, this.init.fanIn(name, [to, from, kernel, kernel], from * kernel ** 2));
    const pad = kernel >> 1;
    const convolved = this.op('Conv', name, [x, weight], {
      kernel_shape: ints([kernel, kernel]),
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
    });
    const scale = this.weight(`${name}.norm.scale`, this.init.constant([to], 1));
    const bias = this.weight(`${name}.norm.bias`, this.init.constant([to], 0));
    return this.op('GroupNormalization', `${name}.norm`, [convolved, scale, bias], { num_groups: int(to / 16) });
  }

  model(input: Value, logits: string, classes: number): Model {
    const outputs = [{ name: logits, dtype: 'float32' as const, shape: ['batch', classes] }];
    const { nodes, constants } = this;
    return {
      graph: { name: 'bench', inputs: [input], outputs, nodes, constants },
      opset: 21,
      weights: [...constants.keys()],
    };
  }
}

const image = (shape: readonly number[]): Value => ({ name: 'image', dtype: 'float32', shape: ['batch', ...shape] });

/** ResNet (He et al. 2016) for 32×32 images: a 3×3 stem, four stages of `blocks` residual blocks of doubling width, GroupNorm for BatchNorm. */
export function buildResNet(width: number, blocks: readonly number[], classes: number): Model {
  const w = new Writer();
  let x = w.op('Relu', 'stem.relu', [w.convolution('stem', 'image', 3, width, 3, 1)]);
  let from = width;
  for (const [stage, count] of blocks.entries()) {
    const to = width * 2 ** stage;
    for (let i = 0; i < count; i++) {
      const name = `stage${stage + 1}.block${i + 1}`;
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const first = w.op('Relu', `${name}.relu1`, [w.convolution(`${name}.conv1`, x, from, to, 3, stride)]);
      const second = w.convolution(`${name}.conv2`, first, to, to, 3, 1);
      const shortcut = from === to ? x : w.convolution(`${name}.shortcut`, x, from, to, 1, stride);
      x = w.op('Relu', name, [w.op('Add', `${name}.sum`, [second, shortcut])]);
      from = to;
    }
  }
  const pooled = w.op('Flatten', 'flatten', [w.op('GlobalAveragePool', 'pool', [x])], { axis: int(1) });
  return w.model(image([3, 32, 32]), w.dense('output', pooled, from, classes), classes);
}
