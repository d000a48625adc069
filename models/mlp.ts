import { GraphBuilder } from '../graph/builder.ts';
import { int, type Model, type Tensor } from '../graph/ir.ts';
import type { MlpSettings } from './config.ts';
import { Initialiser } from './initialise.ts';

/**
 * A multi-layer perceptron on flattened images: dense layers with ReLU between them. Input `image` [batch, channels, height, width],
 * output `logits` [batch, classes]. Layers are called dense1, dense2, … and output; without hidden layers it is logistic regression.
 */
export function buildMlp(settings: MlpSettings, seed: number | string): Model {
  const { imageShape, hidden, classes } = settings;
  const b = new GraphBuilder();
  const init = new Initialiser(seed);
  const weights: string[] = [];
  const weight = (name: string, tensor: Tensor) => {
    weights.push(name);
    return b.constant(tensor, name);
  };
  const dense = (name: string, input: string, from: number, to: number) =>
    b.op(
      'Gemm',
      [
        input,
        // One row per unit, as PyTorch stores them: for small batches the runtime is faster with it.
        weight(`${name}.weight`, init.fanIn(name, [to, from], from)),
        weight(`${name}.bias`, init.constant([to], 0)),
      ],
      { transB: int(1) },
      { name },
    );
  let width = imageShape.reduce((product, size) => product * size, 1);
  let x = b.input('image', 'float32', ['batch', ...imageShape]);
  x = b.op('Flatten', [x], { axis: int(1) }, { name: 'flatten' });
  for (const [i, units] of hidden.entries()) {
    const name = `dense${i + 1}`;
    x = b.op('Relu', [dense(name, x, width, units)], {}, { name: `${name}.relu` });
    width = units;
  }
  b.op('Identity', [dense('output', x, width, classes)], {}, { outputNames: ['logits'] });
  return { graph: b.build('mlp', ['logits']), opset: 21, weights };
}
