import { describe, expect, test } from '@jest/globals';
import { localConfig } from '../../client/config.ts';
import { trainShard } from '../../client/shard.ts';
import { trainClients } from '../../client/train-clients.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { dataConfig } from '../../data/config.ts';
import { openDataset } from '../../data/open.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildModel } from '../../models/build.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { Clipper } from '../../privacy/clipping.ts';

const data = dataConfig.parse({
  kind: 'synthetic-images',
  population: 200,
  imageShape: [1, 9, 9],
  samplesPerUser: 6,
  samplesSpread: 0.5,
  evaluationSamples: 2,
});
const dataset = openDataset(data, 1);
const model = buildModel({ kind: 'mlp', hidden: [70] }, dataset.task, 1);
const artifact = compileTraining(model, bindModel(model, dataset.task.kind, 'mlp'), { grouped: true });

async function context() {
  const trainer = await LocalTrainer.create(artifact);
  const { layout } = trainer;
  const clipper = new Clipper(layout, { mode: 'dim', bound: 0.05 }, ExactGrid.forSum(0.05, 1000));
  const local = localConfig.parse({ epochs: 1, batchSize: 3, learningRate: 0.1 });
  return { seed: 1, local, dataset, trainer, layers: layout.layers.length, clipper };
}

describe('clients of a small model with different numbers of examples', () => {
  const parameters = parametersOf(model, new ParameterLayout(artifact.layers));
  const ids = Array.from({ length: 50 }, (_, i) => (i * 37) % 200);

  test('all come, each once', async () => {
    const seen: number[] = [];
    let most = 0;
    for await (const clients of trainClients(await context(), 1, parameters, ids)) {
      most = Math.max(most, clients.length);
      for (const { id, examples } of clients) {
        expect(examples).toBe(dataset.client(id).count);
        seen.push(id);
      }
    }
    expect(most).toBeGreaterThan(1);
    expect(seen.sort((a, b) => a - b)).toEqual([...ids].sort((a, b) => a - b));
  });

  test('shards of any cut have the same totals, bit by bit', async () => {
    const shared = await context();
    const total = async (size: number) => {
      const sum = new Float64Array(parameters.length);
      const figures = { lossSum: 0, contributed: 0, examples: 0 };
      for (let start = 0; start < ids.length; start += size) {
        const part = await trainShard(shared, 1, parameters, ids.slice(start, start + size));
        for (const [i, value] of part.sum.entries()) sum[i]! += value;
        figures.lossSum += part.lossSum;
        figures.contributed += part.contributed;
        figures.examples += part.examples;
      }
      return { sum, figures };
    };
    const whole = await total(50);
    expect(whole.figures.contributed).toBe(50);
    for (const size of [1, 7, 16]) expect(await total(size)).toEqual(whole);
  });

  test('one that cannot be trained is named, whoever is trained with it', async () => {
    const shared = await context();
    const broken = {
      ...dataset,
      population: dataset.population,
      expectedWork: (id: number) => dataset.expectedWork!(id),
      client: (...given: Parameters<typeof dataset.client>) => {
        const batch = dataset.client(...given);
        if (given[0] === 74) batch.fields.label!.data.fill(99);
        return batch;
      },
    };
    const training = trainShard({ ...shared, dataset: broken }, 3, parameters, ids);
    await expect(training).rejects.toThrow(/^client 74 in round 3 cannot be trained: local training failed/);
  });
});
