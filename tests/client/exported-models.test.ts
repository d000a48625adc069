import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import type { ExampleBatch, TensorData } from '../../data/dataset.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import type { Model } from '../../graph/ir.ts';
import { readModelFile } from '../../graph/onnx/read.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { namedStream } from '../../random/stream.ts';
import { flatten, type Layers, layerErrors } from '../support/pytorch-fixture.ts';

/** What scripts/fixtures/export_models.py writes about ten steps of SGD in float64 on a model that PyTorch exported. */
interface Steps {
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
  readonly data: readonly number[];
}

interface Case {
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly loss: { readonly kind: string; readonly target: Numbers; readonly target_lengths?: Numbers };
}

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
const readJson = (file: string): unknown => JSON.parse(readFileSync(folder + file, 'utf8'));

const integers = ({ dims, data }: Numbers): TensorData => ({ type: 'int32', dims, data: Int32Array.from(data) });
const vector = (data: readonly number[]) => integers({ dims: [data.length], data });

/** The whole case as one client's examples. */
function examplesOf({ inputs, loss }: Case, { lengths }: Steps): ExampleBatch {
  const { dims, data } = Object.values(inputs)[0]!;
  const main: TensorData = { type: 'float32', dims, data: Float32Array.from(data) };
  const fields: Record<string, TensorData> = lengths
    ? {
        features: main,
        lengths: vector(lengths),
        targets: integers(loss.target),
        target_lengths: integers(loss.target_lengths!),
      }
    : { image: main, label: integers(loss.target) };
  return { count: dims[0]!, fields };
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
    const objective = given.loss.kind === 'ctc' ? 'transcription' : 'classification';
    trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, objective, name)));
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
