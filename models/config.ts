import { z } from 'zod';
import { batchNormHandlings } from './adapt/group-norm.ts';

const positive = z.int().positive();

const transformerCtc = z
  .strictObject({
    kind: z.literal('transformer-ctc'),
    stride: positive.default(4).describe('frontend stride: feature frames per encoder frame'),
    blocks: positive.default(2).describe('pre-LayerNorm transformer blocks'),
    width: positive.default(64).describe('model width; a multiple of heads'),
    heads: positive.default(4).describe('attention heads'),
    mlp: positive.default(256).describe('hidden width of the MLP'),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .default(0)
      .describe('dropped part of features, attention weights, activations and branches, in training'),
    layerDrop: z.number().min(0).lt(1).default(0).describe('probability of skipping a whole block in a local step'),
  })
  .describe('encoder-only transformer with CTC; input filters and vocabulary come from the data');

const cnn = z
  .strictObject({
    kind: z.literal('cnn'),
    channels: z.array(positive).min(1).default([32, 64]).describe('filters of each 3×3 convolution'),
    hidden: positive.default(128).describe('width of the dense layer'),
  })
  .describe('convolutions 3×3 with ReLU, one max-pool 2, dense, ReLU, dense');

const mlp = z
  .strictObject({
    kind: z.literal('mlp'),
    hidden: z.array(positive).default([200]).describe('widths of the hidden layers; [] is logistic regression'),
  })
  .describe('dense layers with ReLU on flattened images');

const resnet = z
  .strictObject({
    kind: z.literal('resnet'),
    width: positive.default(64).describe('channels of the first stage; they double from stage to stage'),
    blocks: z
      .array(positive)
      .min(1)
      .default([2, 2, 2, 2])
      .describe('residual blocks of each stage; default: ResNet-18'),
    groupSize: positive.default(16).describe('channels of a group of GroupNorm; divides the width'),
  })
  .describe('residual network with GroupNorm and a 3×3 stem, for small images');

const onnx = z
  .strictObject({
    kind: z.literal('onnx'),
    path: z.string().min(1).describe('an .onnx file, relative to the configuration file'),
    batchNorm: z
      .enum(batchNormHandlings)
      .optional()
      .describe(
        'BatchNormalization keeps its stored statistics, or becomes GroupNorm; default: freeze when the file carries trained statistics, else group',
      ),
  })
  .describe('your own model, trained from the weights in the file');

/** The `model` section of a run configuration. */
export const modelConfig = z.discriminatedUnion('kind', [transformerCtc, cnn, mlp, resnet, onnx]);

const patterns = z.array(z.string().min(1)).min(1);

const lora = z
  .strictObject({
    rank: positive.describe('rank of the adapters'),
    alpha: z.number().positive().optional().describe('their product is scaled by alpha / rank; default: the rank'),
    targets: patterns
      .default(['*'])
      .describe('name patterns of MatMul and Gemm weights to adapt; by default all of them'),
    write: z
      .enum(['merged', 'adapters'])
      .default('merged')
      .describe('whether model.onnx holds the adapted weights, or the old ones and the adapters'),
  })
  .describe('low-rank adapters are trained in place of the weights, and layers that `include` names besides');

/** The `train` section of a run configuration: which layers of the model are trained. */
export const trainConfig = z
  .strictObject({
    include: patterns.optional().describe('name patterns (`*`, `?`) of the layers to train; default: all'),
    exclude: patterns.optional().describe('name patterns of layers that stay as they are, even if included'),
    lora: lora.optional(),
  })
  .describe('which layers are trained; the others are constants: no gradient, not clipped, sent or noised');

const output = z
  .string()
  .min(1)
  .optional()
  .describe('output of the model that the loss is taken of (default: its first floating-point one)');
const target = z
  .string()
  .min(1)
  .optional()
  .describe('field of the data to be predicted (default: what the data fixes; label or target in arrays of your own)');

const crossEntropyLoss = z
  .strictObject({
    kind: z.literal('cross-entropy'),
    labelSmoothing: z.number().min(0).lt(1).default(0).describe('part of each target spread evenly over all classes'),
    classWeights: z
      .array(z.number().min(0))
      .min(2)
      .refine((weights) => weights.some((weight) => weight > 0), 'at least one class needs a weight above 0')
      .optional()
      .describe('one weight per class (default: all alike); the mean is weighted with those of the labels'),
    output,
    target,
  })
  .describe('softmax cross-entropy over classes, with the options of PyTorch');

const ctcLoss = z
  .strictObject({
    kind: z.literal('ctc'),
    blank: z.int().min(0).default(0).describe('position of the blank among the symbols of the model'),
    output,
  })
  .describe('CTC on transcriptions; targets that do not fit into their frames are skipped and counted');

const mseLoss = z
  .strictObject({ kind: z.literal('mse'), output, target })
  .describe('mean squared error; of class labels, against one-hot vectors');

const bceLoss = z
  .strictObject({ kind: z.literal('bce'), output, target })
  .describe('binary cross-entropy with logits, one per label; of class labels, against one-hot vectors');

const ownLoss = z
  .strictObject({
    kind: z.literal('output'),
    output: z.string().min(1).describe('scalar output of the model that holds its loss, a mean over the batch'),
  })
  .describe('a loss that your model computes itself, from inputs called like the fields of the data');

/** The `loss` section of a run configuration. */
export const lossConfig = z
  .discriminatedUnion('kind', [crossEntropyLoss, ctcLoss, mseLoss, bceLoss, ownLoss])
  .describe('what is minimised; default: cross-entropy for classes, ctc for transcriptions');

export type TrainConfig = z.infer<typeof trainConfig>;
export type ModelConfig = z.infer<typeof modelConfig>;
export type TransformerCtcSettings = Omit<z.infer<typeof transformerCtc>, 'dropout' | 'layerDrop'> & {
  readonly dropout?: number;
  readonly layerDrop?: number;
  readonly filters: number;
  readonly vocabulary: number;
};
/** What a classifier learns from the data: sizes of images, number of classes. */
interface ImageTask {
  readonly imageShape: readonly [number, number, number];
  readonly classes: number;
}
export type CnnSettings = z.infer<typeof cnn> & ImageTask;
export type MlpSettings = z.infer<typeof mlp> & ImageTask;
export type ResNetSettings = z.infer<typeof resnet> & ImageTask;
