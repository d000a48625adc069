import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import type { ExampleBatch, TensorData } from '../../data/dataset.ts';
import { type Binding, bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import type { LossKind } from '../../graph/compile-gradients.ts';
import type { Model } from '../../graph/ir.ts';
import { readModelFile } from '../../graph/onnx/read.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { namedStream } from '../../random/stream.ts';
import { flatten, type Layers, layerErrors } from '../support/pytorch-fixture.ts';

/** What scripts/fixtures/export_models.py writes about ten steps of SGD in float64 on a model that PyTorch exported. */
interface Steps {
  readonly data: 'image' | 'utterances' | 'tensors';
  readonly steps: number;
  readonly learningRate: number;
  /** Frames of each utterance's input; transcription only. */
  readonly lengths?: readonly number[];
  readonly runs: readonly {
    readonly maxGradientNorm: number | null;
    readonly losses: readonly number[];
    readonly deltas: Layers;
  }[];
}

interface Numbers {
  readonly dims: readonly number[];
  readonly type?: 'float32' | 'int64';
  readonly data: readonly number[];
}

interface Case {
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly loss: { readonly kind: LossKind; readonly target: Numbers; readonly target_lengths?: Numbers };
}

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const readJson = (file: string): unknown => JSON.parse(readFileSync(folder + file, 'utf8'));

const integers = ({ dims, data }: Numbers): TensorData => ({ type: 'int32', dims, data: Int32Array.from(data) });
const vector = (data: readonly number[]) => integers({ dims: [data.length], data });

const reals = ({ dims, data }: Numbers): TensorData => ({ type: 'float32', dims, data: Float32Array.from(data) });
const typed = (tensor: Numbers) => (tensor.type === 'float32' ? reals(tensor) : integers(tensor));

/** The whole case as one client's examples. */
function examplesOf({ inputs, loss }: Case, { data, lengths }: Steps): ExampleBatch {
  const main = Object.values(inputs)[0]!;
  const count = main.dims[0]!;
  if (data === 'image') return { count, fields: { image: reals(main), label: integers(loss.target) } };
  if (data === 'utterances') {
    const targets = { targets: integers(loss.target), target_lengths: integers(loss.target_lengths!) };
    return { count, fields: { features: reals(main), lengths: vector(lengths!), ...targets } };
  }
  const fields = Object.entries({ ...inputs, target: loss.target }).map(([name, tensor]) => [name, typed(tensor)]);
  return { count, fields: Object.fromEntries(fields) };
}

/** How the model meets the case's data, which of its own has a loss and fields to be named. */
function bindingOf(model: Model, { loss }: Case, { data }: Steps, { fields }: ExampleBatch, name: string): Binding {
  if (data === 'image') return bindModel(model, 'classification', name);
  if (data === 'utterances') return bindModel(model, 'transcription', name);
  const described = Object.entries(fields).map(([field, { type, dims }]) => ({
    name: field,
    dtype: type,
    shape: dims.slice(1),
  }));
  return bindModel(model, 'tensors', name, { loss: { kind: loss.kind }, fields: described });
}

const names = readdirSync(folder).flatMap((file) =>
  file.endsWith('.steps.json') ? [file.replace('.steps.json', '')] : [],
);

describe.each(names)('%s', (name) => {
  const fixture = readJson(`${name}.steps.json`) as Steps;
  const given = (readJson(`${name}.json`) as { case: Case }).case;
  const examples = examplesOf(given, fixture);
  let model: Model;
  let trainer: LocalTrainer;

  beforeAll(async () => {
    model = readModelFile(`${folder}${name}.onnx`);
    trainer = await LocalTrainer.create(compileTraining(model, bindingOf(model, given, fixture, examples, name)));
  });

  test.each([0, 1])('ten local steps end where those of PyTorch do (run %i: free, clipped)', async (run) => {
    const { steps, learningRate, runs } = fixture;
    const { maxGradientNorm, losses, deltas } = runs[run]!;
    expect(maxGradientNorm === null).toBe(run === 0);
    const settings = localConfig.parse({ steps, learningRate, maxGradientNorm, batchSize: examples.count });
    const start = parametersOf(model, trainer.layout);
    const result = await trainer.train(start, examples, settings, namedStream('exported models', 'batches'));
    expect(result.steps).toBe(10);
    expect(result.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 3);
    const weights = (delta: Float32Array) => start.map((value, i) => value - delta[i]!);
    const errors = layerErrors(weights(result.delta), weights(flatten(deltas, trainer.layout)), trainer.layout);
    expect(errors.filter(([, error]) => !(error < 1e-4))).toEqual([]);
  });
});
