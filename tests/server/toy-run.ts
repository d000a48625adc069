import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localConfig } from '../../client/config.ts';
import type { RoundSettings } from '../../client/round-settings.ts';
import { type ShardResult, trainShard } from '../../client/shard.ts';
import type { ClientTrainer } from '../../client/train-clients.ts';
import { vectorOf } from '../../client/training-session.ts';
import { dataConfig } from '../../data/config.ts';
import type { ExampleBatch, FederatedDataset } from '../../data/dataset.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { l2Norm } from '../../params/vector.ts';
import { ClientNoise } from '../../privacy/client-noise.ts';
import { Clipper } from '../../privacy/clipping.ts';
import { privacyConfig } from '../../privacy/config.ts';
import { clientWeight } from '../../privacy/weighting.ts';
import { namedStream } from '../../random/stream.ts';
import { checkpointConfig, evaluationConfig, federationConfig, optimizerConfig } from '../../server/config.ts';
import type { RoundServer } from '../../server/rounds.ts';
import type { RunConfig } from '../../server/run-config.ts';
import { RunPrivacy } from '../../server/run-privacy.ts';

/** The model of the toy runs: two layers, five parameters. */
export const layout = new ParameterLayout([
  { name: 'w', shape: [2, 2] },
  { name: 'b', shape: [1] },
]);

export const POPULATION = 200;

function exampleOf(values: Float32Array): ExampleBatch {
  return { count: 1, fields: { target: { type: 'float32', dims: [1, values.length], data: values } } };
}

/** Every user has a target vector; the held-out example is the vector that targets scatter around. */
export const dataset: FederatedDataset = {
  task: { kind: 'classification', classes: ['a', 'b'], imageShape: [1, 1, 1] },
  population: POPULATION,
  description: 'Targets of a quadratic.',
  client(id) {
    const random = namedStream('toy', 'target', id);
    return exampleOf(Float32Array.from({ length: layout.size }, (_, i) => i + random.uniform() - 0.5));
  },
  evaluation: () => exampleOf(Float32Array.from({ length: layout.size }, (_, i) => i)),
};

/** One step towards the user's target, with a little of the client's own randomness. */
export const trainer: ClientTrainer = {
  async train(start, examples, settings, random) {
    const target = examples.fields.target.data;
    const jitter = 0.01 * random.uniform();
    const delta = vectorOf(start).map((value, i) => settings.learningRate * (value - target[i]) + jitter);
    return { delta, loss: l2Norm(delta) ** 2 };
  },
};

/** Distance to the held-out vector, in the clothes of an evaluator. */
export const evaluator = {
  async evaluate(parameters: Float32Array, examples: ExampleBatch) {
    const target = examples.fields.target.data;
    return { examples: 1, loss: l2Norm(parameters.map((value, i) => value - target[i])) };
  },
};

type Sections = { readonly [K in 'federation' | 'optimizer' | 'privacy' | 'evaluation' | 'checkpoint']?: object };

/** A configuration of a toy run; sections are merged over the defaults. */
export function toyConfig(sections: Sections = {}, seed: number | string = 0): RunConfig {
  const optimizer = { kind: 'lamb', learningRate: 0.1, ...sections.optimizer };
  return {
    name: 'toy',
    seed,
    model: { kind: 'onnx', path: 'toy.onnx' },
    data: dataConfig.parse({ kind: 'synthetic-speech', population: POPULATION }),
    local: localConfig.parse({ steps: 1, batchSize: 1, learningRate: 0.1 }),
    federation: federationConfig.parse({ rounds: 6, expectedCohort: 20, shardSize: 3, ...sections.federation }),
    optimizer: optimizerConfig.parse(optimizer),
    privacy: privacyConfig.parse({
      clipping: { mode: 'dim', bound: 0.5 },
      noise: { multiplier: 0.7 },
      delta: 1e-6,
      // Quick, and in every record; tests of PLD ask for it.
      accountant: 'rdp',
      ...sections.privacy,
    }),
    evaluation: evaluationConfig.parse({ every: 4, ...sections.evaluation }),
    checkpoint: checkpointConfig.parse({ every: 2, ...sections.checkpoint }),
    output: 'runs',
  };
}

/** Which shard of those left is finished next. */
export type Arrival = (left: readonly number[]) => number;

/** Trains shards in this process with the real shard loop and clipper; `arrival` picks the order in which they arrive. */
export class ToyServer implements RoundServer {
  readonly cohorts: number[][] = [];
  readonly #config: RunConfig;
  readonly #arrival: Arrival;

  constructor(config: RunConfig, arrival: Arrival = ([first]) => first) {
    this.#config = config;
    this.#arrival = arrival;
  }

  workerCount(): number {
    return 1;
  }

  async runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: ShardResult) => void,
    settings?: RoundSettings,
  ): Promise<void> {
    this.cohorts.push(shards.flat());
    const own = new RunPrivacy(this.#config, layout, POPULATION);
    const { clipping, gridStep, noise } = settings ?? { clipping: own.clipping, gridStep: own.grid.step };
    const context = {
      seed: this.#config.seed,
      local: this.#config.local,
      layers: layout.layers.length,
      dataset,
      trainer,
      clipper: new Clipper(layout, clipping, new ExactGrid(gridStep)),
      weight: (examples: number) => clientWeight(this.#config.federation.weighting, examples),
      noise: noise && new ClientNoise(noise, this.#config.seed),
    };
    const left = shards.map((_, index) => index);
    while (left.length > 0) {
      const index = this.#arrival(left);
      left.splice(left.indexOf(index), 1);
      onResult(index, await trainShard(context, round, parameters, shards[index]));
    }
  }
}

/** A new empty directory outside the source tree. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dpfl-test-'));
}
