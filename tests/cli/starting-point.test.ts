import { describe, expect, test } from '@jest/globals';
import { startingPoint } from '../../cli/starting-point.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { seedModelConfig } from '../../server/config.ts';
import { smallRun } from './small-run.ts';

const run = await smallRun();
const initial = parametersOf(run.adapted.model, run.layout);
const seedModel = seedModelConfig.parse({
  steps: 8,
  batchSize: 2,
  optimizer: { kind: 'sgd', learningRate: 0.1 },
});

async function start(seeded: boolean) {
  const lines: string[] = [];
  // Held-out examples stand in for the public ones that synthetic images lack.
  const dataset = { ...run.dataset, seed: () => run.dataset.evaluation() };
  const config = seeded ? { ...run.config, seedModel } : run.config;
  const progress = { note: (line: string) => void lines.push(line) };
  return { lines, parameters: await startingPoint({ config, progress }, { ...run, dataset }) };
}

describe('startingPoint', () => {
  test('without a seed model: the weights of the model, and nothing is said', async () => {
    expect(await start(false)).toEqual({ lines: [], parameters: initial });
  });

  test('the stage of a seed model trains, the same each time, and tells of every quarter', async () => {
    const { lines, parameters } = await start(true);
    expect(parameters).not.toEqual(initial);
    expect((await start(true)).parameters).toEqual(parameters);
    expect(lines).toEqual([
      "stage 1: seed model, trained centrally on 2 public examples for 8 steps (no user's data)",
      ...[2, 4, 6, 8].map((step) => expect.stringMatching(new RegExp(`^  step ${step}/8  loss \\d+\\.\\d{3}$`))),
      'stage 2: federated training',
    ]);
  });
});
