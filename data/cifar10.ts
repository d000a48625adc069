import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, DataError } from '../errors.ts';
import { namedStream } from '../random/stream.ts';
import type { Cifar10Config } from './config.ts';
import type { ExampleBatch, ExpectedWork, FederatedDataset, Task } from './dataset.ts';
import { FieldBuffers } from './field-buffers.ts';
import { dirichletPartition, iidPartition } from './partition.ts';
import { checkPopulation, checkUser } from './population.ts';

/** Class names in the order of the labels, as in the official batches.meta.txt. */
const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
/** A record is one label byte, then the 32×32 red plane, the green one and the blue one, each row by row. */
const PLANE = 32 * 32;
const PIXELS = 3 * PLANE;
const RECORD = 1 + PIXELS;
/** Mean and standard deviation of red, green and blue over the 50 000 training images, pixels in 0 … 1. */
const CHANNEL_MEAN = [0.4914, 0.4822, 0.4465];
const CHANNEL_DEVIATION = [0.247, 0.2435, 0.2616];

/** Normalised value of byte b in channel c at [256 c + b]. */
const NORMALISED = Float32Array.from({ length: 3 * 256 }, (_, i) => {
  const channel = i >> 8;
  return ((i & 255) / 255 - CHANNEL_MEAN[channel]) / CHANNEL_DEVIATION[channel];
});

/**
 * CIFAR-10 (Krizhevsky 2009) in the official binary format: whatever `data_batch_*.bin` are in the folder are dealt to users,
 * `test_batch.bin` is for evaluation. Images stay bytes in memory and are normalised per channel when they are asked for.
 */
export class Cifar10 implements FederatedDataset {
  readonly task: Task = { kind: 'classification', classes: CLASSES, imageShape: [3, 32, 32] };
  readonly population: number;
  readonly description: string;
  readonly userMeaning = 'A user here is a set of images dealt to it, not a person';
  readonly #training: Uint8Array;
  readonly #test: Uint8Array;
  readonly #users: readonly Int32Array[];
  #evaluation: ExampleBatch | undefined;

  /**
   * @throws DataError for a missing, truncated or corrupt file
   * @throws ConfigError when there are too few images for one user, or the stated population is not the number of users
   */
  constructor(config: Cifar10Config, seed: number | string) {
    const { path, samplesPerUser, partition } = config;
    const batches = trainingFiles(path);
    this.#training = Buffer.concat(batches.map(readRecords));
    this.#test = readRecords(join(path, 'test_batch.bin'));
    const images = this.#training.length / RECORD;
    if (images < samplesPerUser) {
      throw new ConfigError(
        `data.samplesPerUser: ${samplesPerUser} is more than the ${images} training images in ${path}; lower it`,
      );
    }
    const random = namedStream(seed, 'cifar10-partition');
    this.#users =
      partition.kind === 'iid'
        ? iidPartition(images, samplesPerUser, random)
        : dirichletPartition(labelsOf(this.#training), CLASSES.length, samplesPerUser, partition.alpha, random);
    this.population = this.#users.length;
    checkPopulation(config.population, this.population, `data.samplesPerUser ${samplesPerUser}`);
    const dealt = partition.kind === 'iid' ? 'at random' : `with class mixes from Dirichlet(${partition.alpha})`;
    this.description =
      `CIFAR-10: ${this.population * samplesPerUser} of ${images} training images dealt ${dealt} to ${this.population} users, ` +
      `${samplesPerUser} each; ${this.#test.length / RECORD} test images for evaluation.`;
  }

  client(id: number, buffers?: FieldBuffers): ExampleBatch {
    checkUser(id, this.population);
    return packImages(this.#training, this.#users[id], buffers);
  }

  expectedWork(id: number): ExpectedWork {
    checkUser(id, this.population);
    const { length } = this.#users[id];
    return { examples: length, pass: length };
  }

  evaluation(): ExampleBatch {
    this.#evaluation ??= packImages(
      this.#test,
      Int32Array.from({ length: this.#test.length / RECORD }, (_, i) => i),
    );
    return this.#evaluation;
  }
}

function trainingFiles(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const batches = names.filter((name) => /^data_batch_\d+\.bin$/.test(name)).sort();
  if (batches.length === 0) {
    throw new DataError(
      `${folder}: holds no data_batch_*.bin; data.path must be the folder of the binary version of CIFAR-10`,
    );
  }
  return batches.map((name) => join(folder, name));
}

function readRecords(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new DataError(`${path}: cannot be read; data.path must be the folder of the binary version of CIFAR-10`, {
      cause,
    });
  }
  if (bytes.length === 0 || bytes.length % RECORD !== 0) {
    throw new DataError(
      `${path}: is truncated, ${bytes.length} bytes are not whole records of ${RECORD}; download it again`,
    );
  }
  for (let offset = 0; offset < bytes.length; offset += RECORD) {
    if (bytes[offset] >= CLASSES.length)
      throw new DataError(
        `${path}: record ${offset / RECORD} has label ${bytes[offset]}, not 0 to 9; download it again`,
      );
  }
  return bytes;
}

function labelsOf(records: Uint8Array): Int32Array {
  return Int32Array.from({ length: records.length / RECORD }, (_, i) => records[i * RECORD]);
}

function packImages(records: Uint8Array, indices: Int32Array, buffers = new FieldBuffers()): ExampleBatch {
  const count = indices.length;
  const image = buffers.float32('image', count * PIXELS);
  const label = buffers.int32('label', count);
  for (let row = 0; row < count; row++) {
    const offset = indices[row] * RECORD;
    label[row] = records[offset];
    for (let channel = 0; channel < 3; channel++) {
      const from = offset + 1 + channel * PLANE;
      const to = row * PIXELS + channel * PLANE;
      const table = channel * 256;
      for (let i = 0; i < PLANE; i++) image[to + i] = NORMALISED[table + records[from + i]];
    }
  }
  return {
    count,
    fields: {
      image: { type: 'float32', dims: [count, 3, 32, 32], data: image },
      label: { type: 'int32', dims: [count], data: label },
    },
  };
}
