import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../errors.ts';
import { selectExamples } from './batches.ts';
import type { NpyConfig } from './config.ts';
import type { ExampleBatch, ExpectedWork, FederatedDataset, Task, TensorData } from './dataset.ts';
import { readNpy } from './npy-file.ts';
import { taskOfArrays } from './npy-task.ts';
import { checkPopulation, checkUser } from './population.ts';

/** The field that says whose an example is. */
const USER = 'user';

/**
 * Arrays of the user's own: `train/<field>.npy` and `test/<field>.npy`, one row per example, and `train/user.npy`, an integer per example.
 * Users are numbered in the order of those integers. The fields decide the task:
 * - `image` [n, channels, height, width] and `label` [n]: classification, for built-in models too
 * - `features` [n, frames, filters], `lengths`, `targets`, `target_lengths`, and an alphabet in the configuration: transcription
 * - any others: tensors, which go by name into a model of the user's own
 */
export class NpyArrays implements FederatedDataset {
  readonly task: Task;
  readonly population: number;
  readonly description: string;
  readonly #train: ExampleBatch;
  readonly #test: ExampleBatch;
  /** Examples of each user. */
  readonly #users: readonly (readonly number[])[];

  /**
   * @throws DataError when files are missing, or do not fit each other
   * @throws ConfigError when the stated population is not the number of users
   */
  constructor({ path, alphabet, population }: NpyConfig) {
    const train = readFields(join(path, 'train'));
    const owners = train.get(USER);
    if (owners?.type !== 'int32' || owners.dims.length !== 1) {
      throw new DataError(`${join(path, 'train', `${USER}.npy`)}: must hold one integer per example, its user`);
    }
    train.delete(USER);
    const test = readFields(join(path, 'test'));
    test.delete(USER);
    this.#train = together(train, owners.dims[0]!, join(path, 'train'));
    this.#test = together(test, test.values().next().value?.dims[0] ?? 0, join(path, 'test'));
    requireAlike(this.#train, this.#test, path);
    this.#users = rowsByUser(owners.data);
    this.population = this.#users.length;
    checkPopulation(population, this.population, `${USER}.npy`);
    this.task = taskOfArrays(this.#train, this.#test, alphabet, path);
    this.description = `Arrays with ${Object.keys(this.#train.fields).sort().join(', ')}: ${this.#train.count} examples of ${this.population} users; ${this.#test.count} for evaluation.`;
  }

  client(id: number): ExampleBatch {
    checkUser(id, this.population);
    return selectExamples(this.#train, this.#users[id]!);
  }

  expectedWork(id: number): ExpectedWork {
    checkUser(id, this.population);
    const examples = this.#users[id]!;
    const lengths = this.task.kind === 'transcription' ? this.#train.fields.lengths!.data : undefined;
    const pass = lengths ? examples.reduce((frames, row) => frames + lengths[row]!, 0) : examples.length;
    return { examples: examples.length, pass };
  }

  evaluation(): ExampleBatch {
    return this.#test;
  }
}

function readFields(folder: string): Map<string, TensorData> {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new DataError(`${folder}: cannot be listed; data.path must hold train/ and test/ with .npy files`, { cause });
  }
  const files = names.filter((name) => name.endsWith('.npy')).sort();
  if (files.length === 0) throw new DataError(`${folder}: holds no .npy files; save one per field with numpy.save`);
  return new Map(files.map((name) => [name.slice(0, -'.npy'.length), readNpy(join(folder, name))]));
}

function together(fields: ReadonlyMap<string, TensorData>, count: number, folder: string): ExampleBatch {
  if (fields.size === 0) throw new DataError(`${folder}: has no field beside ${USER}.npy; save the examples too`);
  for (const [name, { dims }] of fields) {
    if (dims[0] !== count)
      throw new DataError(
        `${join(folder, `${name}.npy`)}: has ${dims[0] ?? 'no'} rows where the others have ${count}; all need one per example`,
      );
  }
  if (count === 0) throw new DataError(`${folder}: holds no examples`);
  return { count, fields: Object.fromEntries(fields) };
}

function requireAlike(train: ExampleBatch, test: ExampleBatch, path: string): void {
  for (const name of new Set([...Object.keys(train.fields), ...Object.keys(test.fields)])) {
    const [a, b] = [train.fields[name], test.fields[name]];
    if (!a || !b)
      throw new DataError(`${path}: ${a ? 'test' : 'train'}/${name}.npy is missing; both parts need the same fields`);
    if (a.type !== b.type || a.dims.length !== b.dims.length)
      throw new DataError(`${path}: ${name} is ${a.type} [${a.dims}] in train, but ${b.type} [${b.dims}] in test`);
  }
}

/** Rows of each user, users in the order of their numbers. */
function rowsByUser(owners: Int32Array): number[][] {
  const rows = new Map<number, number[]>();
  for (const [row, user] of owners.entries()) {
    const known = rows.get(user);
    if (known) known.push(row);
    else rows.set(user, [row]);
  }
  return [...rows.keys()].sort((a, b) => a - b).map((user) => rows.get(user)!);
}
