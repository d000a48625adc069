import { DataError } from '../errors.ts';
import type { ExampleBatch, Task, TensorData } from './dataset.ts';

/**
 * What arrays are for, from the names and forms of their fields.
 * @param alphabet symbols of transcriptions; without one, arrays are no transcriptions
 * @param path names the data in messages
 * @throws DataError when labels or lengths are impossible, or the parts do not fit each other
 */
export function taskOfArrays(
  train: ExampleBatch,
  test: ExampleBatch,
  alphabet: string | undefined,
  path: string,
): Task {
  if (alphabet !== undefined) return transcription(train, test, [...alphabet], path);
  if (isImages(train)) return classification(train, test, path);
  for (const [name, { dims }] of Object.entries(test.fields)) {
    const given = train.fields[name]!.dims;
    if (dims.some((size, axis) => axis > 0 && size !== given[axis])) {
      throw new DataError(
        `${path}: an example of ${name} is [${given.slice(1)}] in train, but [${dims.slice(1)}] in test; pad them alike`,
      );
    }
  }
  const fields = Object.entries(train.fields);
  return {
    kind: 'tensors',
    fields: fields.map(([name, { type, dims }]) => ({ name, dtype: type, shape: dims.slice(1) })),
  };
}

function isImages({ fields }: ExampleBatch): boolean {
  const { image, label } = fields;
  return (
    Object.keys(fields).length === 2 &&
    image?.type === 'float32' &&
    image.dims.length === 4 &&
    label?.type === 'int32' &&
    label.dims.length === 1
  );
}

function classification(train: ExampleBatch, test: ExampleBatch, path: string): Task {
  const classes = 1 + Math.max(greatest(train.fields.label!), greatest(test.fields.label!));
  for (const part of [train, test]) requireWithin(part, 'label', 0, classes - 1, path);
  const [, channels, height, width] = train.fields.image!.dims as [number, number, number, number];
  const shape = test.fields.image!.dims.slice(1);
  if (shape.join() !== [channels, height, width].join())
    throw new DataError(`${path}: images are [${[channels, height, width]}] in train, but [${shape}] in test`);
  return {
    kind: 'classification',
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    imageShape: [channels, height, width],
  };
}

function transcription(train: ExampleBatch, test: ExampleBatch, alphabet: readonly string[], path: string): Task {
  const forms = { features: 3, lengths: 1, targets: 2, target_lengths: 1 };
  const fits = Object.entries(forms).every(([name, rank]) => train.fields[name]?.dims.length === rank);
  const names = Object.keys(train.fields);
  if (!fits || names.length !== 4) {
    throw new DataError(
      `${path}: transcriptions need features [n, frames, filters], lengths [n], targets [n, symbols] and target_lengths [n], found ${names.join(', ')}; without data.alphabet, any arrays will do`,
    );
  }
  for (const part of [train, test]) {
    requireWithin(part, 'lengths', 1, part.fields.features!.dims[1]!, path);
    requireWithin(part, 'target_lengths', 0, part.fields.targets!.dims[1]!, path);
    requireWithin(part, 'targets', 0, alphabet.length, path);
  }
  const [filters, tested] = [train, test].map(({ fields }) => fields.features!.dims[2]!);
  if (filters !== tested)
    throw new DataError(`${path}: features have ${filters} filters in train, but ${tested} in test`);
  return { kind: 'transcription', alphabet, filters: filters! };
}

function requireWithin(part: ExampleBatch, name: string, least: number, most: number, path: string): void {
  const { data } = part.fields[name]!;
  for (let i = 0; i < data.length; i++) {
    if (!(data[i]! >= least && data[i]! <= most))
      throw new DataError(`${path}: ${name} holds ${data[i]}, which is outside ${least} … ${most}`);
  }
}

function greatest({ data }: TensorData): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) most = Math.max(most, data[i]!);
  return most;
}
