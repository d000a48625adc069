import type { ExampleBatch, TensorData } from '../../data/dataset.ts';
import type { Objective } from '../../graph/binding.ts';
import type { Model } from '../../graph/ir.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildMlp } from '../../models/mlp.ts';
import { buildResNet } from '../../models/resnet.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';
import { namedStream, type RandomStream } from '../../random/stream.ts';

/** One client's local training: `steps` steps over as many batches of its own examples. */
export interface Workload {
  readonly title: string;
  readonly objective: Objective;
  readonly model: Model;
  readonly batchSize: number;
  readonly steps: number;
  readonly examples: ExampleBatch;
  /** What scripts/bench/pytorch_step.py builds the same model and client from. */
  readonly pytorch: Readonly<Record<string, unknown>>;
}

const steps = 5;

function floats(stream: RandomStream, dims: readonly number[]): TensorData {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'float32', dims, data: Float32Array.from({ length: count }, () => 2 * stream.uniform() - 1) };
}

function integers(dims: readonly number[], draw: () => number): TensorData {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'int32', dims, data: Int32Array.from({ length: count }, draw) };
}

/** A client with images of a classification model. */
function imageWorkload(
  title: string,
  model: Model,
  { batchSize, imageShape, classes, pytorch }: ImageSettings,
): Workload {
  const stream = namedStream(1, 'bench', batchSize);
  const count = steps * batchSize;
  return {
    title: `${title}, batch ${batchSize}`,
    objective: 'classification',
    model,
    batchSize,
    steps,
    examples: {
      count,
      fields: {
        image: floats(stream, [count, ...imageShape]),
        label: integers([count], () => stream.integer(classes)),
      },
    },
    pytorch: { ...pytorch, batchSize, steps },
  };
}

interface ImageSettings {
  readonly batchSize: number;
  readonly imageShape: readonly [number, number, number];
  readonly classes: number;
  readonly pytorch: { readonly kind: string; readonly settings: Readonly<Record<string, unknown>> };
}

/** The CIFAR-10 model of pfl-research, 32×32×3 images. */
export function cnnWorkload(batchSize = 10): Workload {
  const settings = { channels: [32, 64], hidden: 128, imageShape: [3, 32, 32] as const, classes: 10 };
  const model = buildCnn({ kind: 'cnn', ...settings }, 1);
  return imageWorkload('simple_cnn', model, { batchSize, ...settings, pytorch: { kind: 'cnn', settings } });
}

/** One hidden layer of 200 on 28×28 images. */
export function mlpWorkload(batchSize = 10): Workload {
  const settings = { imageShape: [1, 28, 28] as const, hidden: [200], classes: 10 };
  const model = buildMlp({ kind: 'mlp', ...settings }, 1);
  return imageWorkload('MLP 784-200-10', model, { batchSize, ...settings, pytorch: { kind: 'mlp', settings } });
}

/** ResNet-18 with GroupNorm and a 3×3 stem on 32×32×3 images. */
export function resNetWorkload(batchSize = 10): Workload {
  const settings = { width: 64, blocks: [2, 2, 2, 2], imageShape: [3, 32, 32] as const, classes: 10 };
  const model = buildResNet({ kind: 'resnet', groupSize: 16, ...settings }, 1);
  return imageWorkload('ResNet-18-GN 32×32', model, {
    batchSize,
    ...settings,
    pytorch: { kind: 'resnet', settings },
  });
}

interface TranscriptionSettings {
  readonly count: number;
  readonly frames: number;
  readonly labels: number;
  readonly filters: number;
  readonly vocabulary: number;
}

/** A client with `count` utterances of equal length. */
export function transcriptionClient(settings: TranscriptionSettings, seed = 1): ExampleBatch {
  const { count, frames, labels, filters, vocabulary } = settings;
  const stream = namedStream(1, 'bench', seed);
  return {
    count,
    fields: {
      features: floats(stream, [count, frames, filters]),
      lengths: integers([count], () => frames),
      targets: integers([count, labels], () => 1 + stream.integer(vocabulary - 1)),
      target_lengths: integers([count], () => labels),
    },
  };
}

/** A CTC transformer of 6 blocks × 144 on 67 frames of 80 filters, without subsampling; 12 characters out of 27. */
export function transformerWorkload(batchSize = 8): Workload {
  const settings = { filters: 80, vocabulary: 28, blocks: 6, width: 144, heads: 4, mlp: 576, stride: 1 };
  const [frames, labels] = [67, 12];
  return {
    title: `transformer-ctc 6 × 144, ${batchSize} × ${frames} frames`,
    objective: 'transcription',
    model: buildTransformerCtc({ kind: 'transformer-ctc', ...settings }, 1),
    batchSize,
    steps,
    examples: transcriptionClient({ count: steps * batchSize, frames, labels, ...settings }, batchSize),
    pytorch: { kind: 'transformer-ctc', settings, batchSize, steps, frames, labels },
  };
}
