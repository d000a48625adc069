import { expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { compileTraining } from '../../graph/compile.ts';
import { float32Tensor, int } from '../../graph/ir.ts';
import { namedStream } from '../../random/stream.ts';
import { imageExamples } from '../support/image-examples.ts';

const [pixels, classes] = [9, 3];

type Flatten = (b: GraphBuilder, image: string, weight: string) => string;
const flatten: Flatten = (b, image) => b.op('Flatten', [image], { axis: int(1) });
/** As exporters write it: to a shape that is computed, here from what a layer gives. */
const reshape: Flatten = (b, image, weight) => {
  const layer = b.op('MatMul', [flatten(b, image, weight), weight]);
  const batch = b.op('Shape', [layer], { end: int(1) });
  return b.op('Reshape', [image, b.op('Concat', [batch, b.axes([pixels])], { axis: int(0) })]);
};

/** One dense layer on pixels that are cut off from above alone: an operator with an input left out. */
function clipping(bound: number, toRows: Flatten) {
  const b = new GraphBuilder();
  const weight = b.constant(float32Tensor([pixels, classes], new Float32Array(pixels * classes)), 'weight');
  const rows = toRows(b, b.input('image', 'float32', ['batch', 1, 3, 3]), weight);
  const clipped = b.op('Clip', [rows, '', b.scalar(bound)]);
  b.op('MatMul', [clipped, weight], {}, { outputNames: ['logits'] });
  return { graph: b.build('clipping', ['logits']), opset: 21, weights: ['weight'] };
}

test.each([
  ['may leave inputs out', false, flatten],
  ['may leave inputs out, of several clients', true, flatten],
  ['may be reshaped to what the step computes', false, reshape],
  ['may be reshaped to what the step computes, of several clients', true, reshape],
])('what is made of the data before the loop %s', async (_, grouped, toRows) => {
  const model = clipping(0.25, toRows);
  const trainer = await LocalTrainer.create(
    compileTraining(model, bindModel(model, 'classification', 'm'), { grouped }),
  );
  const examples = imageExamples('clipped', 6, [1, 3, 3], classes);
  const local = localConfig.parse({ steps: 1, batchSize: 6, learningRate: 1, maxGradientNorm: null });
  const { delta } = await trainer.train(
    new Float32Array(pixels * classes),
    examples,
    local,
    namedStream('client visits test', 'batches'),
  );
  // With weights of zero, the gradient of class c is the mean of pixels · (1/3 − whether the label is c).
  const { image, label } = examples.fields;
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let c = 0; c < classes; c++) {
      let expected = 0;
      for (let i = 0; i < 6; i++) {
        const value = Math.min(image!.data[i * pixels + pixel]!, 0.25);
        expected += (value * (1 / 3 - Number(label!.data[i] === c))) / 6;
      }
      expect(delta[pixel * classes + c]).toBeCloseTo(expected, 5);
    }
  }
});
