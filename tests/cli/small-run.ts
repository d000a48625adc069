import { type Prepared, prepare } from '../../cli/prepare.ts';
import { parseRunConfig, type RunConfig } from '../../server/run-config.ts';

// Each test file has an environment of its own; what it compiles stays out of the user's cache.
process.env.DPFL_CACHE = 'off';

/** A perceptron of a few hundred parameters on synthetic images: nothing is read from a disk. */
export function smallConfig(sections: object = {}): RunConfig {
  const settings = {
    name: 'small',
    seed: 1,
    model: { kind: 'mlp', hidden: [4] },
    data: {
      kind: 'synthetic-images',
      population: 1000,
      imageShape: [1, 4, 4],
      samplesPerUser: 4,
      evaluationSamples: 2,
    },
    local: { steps: 1, batchSize: 2, learningRate: 0.1 },
    federation: { rounds: 2, expectedCohort: 10, workers: 0 },
    optimizer: { kind: 'sgd', learningRate: 1 },
    privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 1 }, delta: 1e-6, accountant: 'rdp' },
    ...sections,
  };
  return parseRunConfig(settings, 'small.yaml');
}

/** The same, prepared. */
export function smallRun(sections: object = {}): Promise<Prepared> {
  return prepare(smallConfig(sections));
}
