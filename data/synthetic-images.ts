import { standardNormal } from '../random/normal.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';
import type { SyntheticImagesConfig } from './config.ts';
import type { ExampleBatch, ExpectedWork, FederatedDataset, Task } from './dataset.ts';
import type { FieldBuffers } from './field-buffers.ts';
import { ImagePainter } from './image-painter.ts';
import { checkUser } from './population.ts';

/** Patterns per class, so that classes are not linearly separable by a single template. */
const VARIANTS = 4;
/** Waves that make up one pattern. */
const WAVES = 6;
/** Normal draws shared by all images, each of which starts at a place of its own. */
const NOISE_POOL = 1 << 16;
/** Most images of one user, as multiples of `samplesPerUser`: the tail of a large spread is cut there. */
const MOST = 100;

/**
 * Images of random smooth patterns, a few per class, with each user's own contrast and brightness and with noise. Nothing is stored but
 * the patterns: a user's images are recomputed from the stream (seed, 'synthetic-images-user', id) whenever they are asked for, at
 * less than a nanosecond per pixel. For tests, benchmarks and population-scale runs without files.
 */
export class SyntheticImages implements FederatedDataset {
  readonly task: Extract<Task, { kind: 'classification' }>;
  readonly population: number;
  readonly description: string;
  readonly #config: SyntheticImagesConfig;
  readonly #seed: number | string;
  readonly #pixels: number;
  readonly #painter: ImagePainter;
  #evaluation: ExampleBatch | undefined;

  constructor(config: SyntheticImagesConfig, seed: number | string) {
    this.#config = config;
    this.#seed = seed;
    this.population = config.population;
    const { imageShape, classes, samplesPerUser, samplesSpread } = config;
    this.task = {
      kind: 'classification',
      classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
      imageShape,
    };
    this.#pixels = imageShape[0] * imageShape[1] * imageShape[2];
    // [class, variant, pixel], each pattern with mean 0 and standard deviation 1.
    const patterns = drawPatterns(classes * VARIANTS, imageShape, namedStream(seed, 'synthetic-images-patterns'));
    const random = namedStream(seed, 'synthetic-images-noise');
    const noise = Float32Array.from({ length: NOISE_POOL + this.#pixels }, () => config.noise * standardNormal(random));
    this.#painter = new ImagePainter(patterns, noise, this.#pixels);
    const each = samplesSpread === 0 ? `${samplesPerUser} each` : `${samplesPerUser} for the median user`;
    this.description =
      `Synthetic images ${imageShape.join('×')} of ${classes} classes: ${config.population} users, ${each}; ` +
      `${config.evaluationSamples} other images for evaluation.`;
  }

  client(id: number, buffers?: FieldBuffers): ExampleBatch {
    checkUser(id, this.population);
    return this.#images(this.#samples(id), namedStream(this.#seed, 'synthetic-images-user', id), buffers);
  }

  expectedWork(id: number): ExpectedWork {
    checkUser(id, this.population);
    const examples = this.#samples(id);
    return { examples, pass: examples };
  }

  evaluation(): ExampleBatch {
    const random = namedStream(this.#seed, 'synthetic-images-evaluation');
    this.#evaluation ??= this.#images(this.#config.evaluationSamples, random);
    return this.#evaluation;
  }

  /** The number of images of a user: lognormal around the median, from a stream of its own, so that it is known without the images. */
  #samples(id: number): number {
    const { samplesPerUser, samplesSpread } = this.#config;
    if (samplesSpread === 0) return samplesPerUser;
    const random = namedStream(this.#seed, 'synthetic-images-samples', id);
    const factor = Math.min(Math.exp(samplesSpread * standardNormal(random)), MOST);
    return Math.max(1, Math.round(samplesPerUser * factor));
  }

  #images(count: number, random: RandomStream, buffers?: FieldBuffers): ExampleBatch {
    const { imageShape, classes } = this.#config;
    const pixels = this.#pixels;
    const image =
      buffers?.float32('image', count * pixels, (size) => this.#painter.allocate(size)) ??
      new Float32Array(count * pixels);
    const label = buffers?.int32('label', count) ?? new Int32Array(count);
    const contrast = 0.5 + random.uniform();
    const brightness = random.uniform() - 0.5;
    for (let row = 0; row < count; row++) {
      label[row] = random.integer(classes);
      const pattern = label[row] * VARIANTS + random.integer(VARIANTS);
      this.#painter.paint(image, row * pixels, pattern, random.integer(NOISE_POOL), contrast, brightness);
    }
    return {
      count,
      fields: {
        image: { type: 'float32', dims: [count, ...imageShape], data: image },
        label: { type: 'int32', dims: [count], data: label },
      },
    };
  }
}

/** Sums of plane waves of low frequency, different in each channel, standardised per pattern. */
function drawPatterns(count: number, [channels, height, width]: readonly number[], random: RandomStream): Float32Array {
  const pixels = channels * height * width;
  const patterns = new Float32Array(count * pixels);
  for (let pattern = 0; pattern < count; pattern++) {
    const values = patterns.subarray(pattern * pixels, (pattern + 1) * pixels);
    for (let wave = 0; wave < WAVES; wave++) {
      const [down, across] = [standardNormal(random), standardNormal(random)].map((waves) => 4 * Math.PI * waves);
      for (let c = 0; c < channels; c++) {
        const phase = 2 * Math.PI * random.uniform();
        for (let y = 0; y < height; y++) {
          const row = (c * height + y) * width;
          for (let x = 0; x < width; x++) {
            values[row + x] += Math.sin((down * y) / height + (across * x) / width + phase);
          }
        }
      }
    }
    standardise(values);
  }
  return patterns;
}

function standardise(values: Float32Array): void {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 1;
  for (let i = 0; i < values.length; i++) values[i] = (values[i] - mean) * scale;
}
