import { beforeAll, describe, expect, test } from '@jest/globals';
import { contextOfRound, type ShardContext, trainShard } from '../../client/shard.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { ClientNoise } from '../../privacy/client-noise.ts';
import { Clipper } from '../../privacy/clipping.ts';
import { RoundAggregator } from '../../server/aggregation.ts';
import { CentralOptimizer } from '../../server/optimizers/central-optimizer.ts';
import { centralStep } from '../../server/round-step.ts';
import type { RunConfig } from '../../server/run-config.ts';
import { RunPrivacy } from '../../server/run-privacy.ts';
import { dataset, toyConfig } from './toy-run.ts';

/**
 * What is really released: the update that the optimizer sees, by the path of a run (cohort, clients, clipping, shards, sum, noise, average), less
 * the same update without noise. All draws are seeded, so nothing here is a matter of luck; limits are 4.5 standard errors.
 */
const LIMIT = 4.5;
const layout = new ParameterLayout([
  { name: 'w', shape: [80, 50] },
  { name: 'b', shape: [1000] },
]);
const SIZE = layout.size;
const S = 20;
/** A client's delta is a stretch of it. */
const WAVE = Float32Array.from({ length: SIZE + 300 }, (_, i) => Math.sin(i * i));

interface Released {
  /** Noise of each round on the average, in units of the parameters. */
  readonly noise: readonly Float64Array[];
  /** Standard deviation that the mechanism states, on the average, per round and layer. */
  readonly stated: readonly (readonly number[])[];
}

/** Runs `rounds` rounds with every client sending a large delta of its own, in shards of `shardSize`. */
async function released(config: RunConfig, rounds: number, shardSize = 4): Promise<Released> {
  const privacy = new RunPrivacy(config, layout, 200);
  const aggregator = new RoundAggregator(layout);
  const optimizer = new CentralOptimizer(config.optimizer, layout);
  const noise: Float64Array[] = [];
  const stated: number[][] = [];
  for (let round = 1; round <= rounds; round++) {
    const cohort = privacy.cohort(round);
    const { settings, limits } = privacy.terms(cohort);
    const context = contextOfRound(workerContext(config, privacy), settings);
    const shards: number[][] = [];
    for (let i = 0; i < cohort.length; i += shardSize) shards.push(cohort.slice(i, i + shardSize));
    aggregator.begin(shards, limits);
    const quiet = new Float64Array(SIZE);
    for (const [index, ids] of shards.entries()) {
      const result = await trainShard(context, round, layout.allocate(), ids);
      aggregator.add(index, result);
      const { sum } = await trainShard({ ...context, noise: undefined }, round, layout.allocate(), ids);
      for (let i = 0; i < SIZE; i++) quiet[i] += sum[i];
    }
    const totals = aggregator.finish();
    const mechanism = privacy.serverNoise(cohort.length, totals.contributed);
    const release = { grid: privacy.grid, mechanism, expectedCohort: S };
    const { step, perUnit } = { step: privacy.grid.step, perUnit: privacy.grid.perUnit };
    const parameters = layout.allocate();
    centralStep(round, totals, release, optimizer, layout, parameters, layout.allocate());
    // SGD with rate 1 from zero: the parameters are the average's negative, in float32; the sum itself is exact.
    expect(parameters[7]).toBe(Math.fround(-(totals.sum[7] * step) / S) || 0);
    noise.push(totals.sum.map((x, i) => (x - quiet[i]) / perUnit / S));
    stated.push(layout.layers.map((_, layer) => mechanism.standardDeviation(round, layer) / S));
    privacy.finish(round, totals);
    privacy.spend(privacy.entry(round));
  }
  return { noise, stated };
}

function workerContext(config: RunConfig, privacy: RunPrivacy): ShardContext {
  return {
    seed: config.seed,
    local: config.local,
    layers: layout.layers.length,
    dataset: { ...dataset, client: (id) => ({ ...dataset.client(id), count: id + 1 }) },
    trainer: {
      train: async (_, { count }) => ({ delta: WAVE.subarray(count, count + SIZE), loss: 1 }),
    },
    clipper: new Clipper(layout, privacy.clipping, privacy.grid),
    inRound: ({ clipping, gridStep, noise }) => ({
      clipper: new Clipper(layout, clipping, new ExactGrid(gridStep)),
      noise: noise && new ClientNoise(noise, config.seed),
    }),
  };
}

const config = (privacy: object, federation: object = {}) =>
  toyConfig({
    federation: { rounds: 8, expectedCohort: S, ...federation },
    optimizer: { kind: 'sgd', learningRate: 1 },
    privacy: { clipping: { mode: 'dim', bound: 0.5 }, noise: { multiplier: 0.7 }, ...privacy },
  });
const cyclic = { sampling: 'cyclic' };

interface Case {
  readonly config: RunConfig;
  /** Standard deviation on the average wanted in `round`, from the settings by hand; undefined where it follows the mechanism's statement. */
  readonly std?: (round: number, layer: number) => number;
  readonly kurtosis: number;
  /** n · Var of the sample kurtosis by the delta method. */
  readonly kurtosisVariance: number;
  readonly correlated?: boolean;
}

const normal = { kurtosis: 3, kurtosisVariance: 24 };
const plain = () => (0.7 * 0.5) / S;
const cases: Record<string, Case> = {
  gaussian: { config: config({}), std: plain, ...normal },
  discreteGaussian: { config: config({ mechanism: 'discreteGaussian' }), std: plain, ...normal },
  laplace: {
    config: config({ mechanism: 'laplace', clipping: { mode: 'l1', bound: 0.5 } }),
    std: () => Math.SQRT2 * plain(),
    kurtosis: 6,
    kurtosisVariance: 1188,
  },
  // C_h² = 0.2 and 0.05 of C² = 0.25; s = z · √(Σ C_h²/factor²), three times as much on the second layer.
  noiseGroups: {
    config: config({ noiseGroups: [{ layers: ['b'], factor: 3 }] }),
    std: (_, layer) => ((layer === 1 ? 3 : 1) * 0.7 * Math.sqrt(0.2 + 0.05 / 9)) / S,
    ...normal,
  },
  shares: { config: config({ noisePlacement: 'shares' }), std: plain, ...normal },
  'discrete shares': {
    config: config({ noisePlacement: 'shares', mechanism: 'discreteGaussian' }),
    std: plain,
    ...normal,
  },
  'adaptive clipping': {
    config: config({ clipping: { mode: 'global', bound: 0.5, adaptive: { countNoise: 2 } } }),
    ...normal,
  },
  treeAggregation: { config: config({ mechanism: 'treeAggregation' }, cyclic), ...normal, correlated: true },
  bandedMatrix: { config: config({ mechanism: 'bandedMatrix', bands: 4 }, cyclic), ...normal, correlated: true },
};

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const correlation = (a: Float64Array, b: Float64Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

describe.each(Object.keys(cases))('%s', (name) => {
  const { config: settings, std, kurtosis, kurtosisVariance, correlated } = cases[name];
  let run: ReturnType<typeof released>;
  // One after another: all at once, the first test would wait for every mechanism.
  beforeAll(async () => {
    run = released(settings, 8);
    await run;
  });

  test('standard deviation and kurtosis, per round and layer', async () => {
    const { noise, stated } = await run;
    for (const [t, values] of noise.entries()) {
      for (const [h, { offset, size }] of layout.layers.entries()) {
        const layer = values.subarray(offset, offset + size);
        const squared = dot(layer, layer) / size;
        const wanted = std?.(t + 1, h) ?? stated[t][h];
        expect(stated[t][h] / wanted).toBeCloseTo(1, 9);
        const error = Math.sqrt((kurtosis - 1) / (4 * size));
        expect(Math.abs(Math.sqrt(squared) / wanted - 1)).toBeLessThan(LIMIT * error);
        const fourth = layer.reduce((sum, x) => sum + x ** 4, 0) / size / squared ** 2;
        expect(Math.abs(fourth - kurtosis)).toBeLessThan(LIMIT * Math.sqrt(kurtosisVariance / size));
        const mean = layer.reduce((sum, x) => sum + x, 0) / size;
        expect(Math.abs(mean)).toBeLessThan((LIMIT * wanted) / Math.sqrt(size));
      }
    }
  });

  test('independent across coordinates and layers; across rounds as the mechanism says', async () => {
    const { noise } = await run;
    const [w, b] = layout.layers;
    for (const [s, values] of noise.entries()) {
      const neighbours = correlation(values.subarray(0, SIZE - 1), values.subarray(1));
      expect(Math.abs(neighbours)).toBeLessThan(LIMIT / Math.sqrt(SIZE));
      const first = values.subarray(w.offset, w.offset + b.size);
      const second = values.subarray(b.offset, b.offset + b.size);
      expect(Math.abs(correlation(first, second))).toBeLessThan(LIMIT / Math.sqrt(b.size));
      for (const later of noise.slice(s + 1)) {
        if (!correlated) expect(Math.abs(correlation(values, later))).toBeLessThan(LIMIT / Math.sqrt(SIZE));
      }
    }
    // Consecutive rounds of correlated noise take back some of each other's, which makes sums over rounds better.
    if (correlated) expect(correlation(noise[0], noise[1])).toBeLessThan(-LIMIT / Math.sqrt(SIZE));
  });

  test('the same release however the cohort is cut for workers: noise is added once', async () => {
    const { noise } = await run;
    const { noise: again } = await released(settings, 2, 1);
    for (const [t, values] of again.entries()) expect(values.every((x, i) => x === noise[t][i])).toBe(true);
  });
});

test('adaptive clipping: the noise is z_Δ times the bound of its own round', async () => {
  const { config: settings } = cases['adaptive clipping'];
  const privacy = new RunPrivacy(settings, layout, 200);
  const { stated } = await released(settings, 8);
  // z_Δ = (z⁻² − (2σ_b)⁻²)^(−1/2)
  const multiplier = (0.7 ** -2 - 4 ** -2) ** -0.5;
  expect(privacy.movingBounds).toEqual([0.5]);
  expect(stated[0][0]).toBeCloseTo((multiplier * 0.5) / S, 12);
  // Every client is far above the bound: b is near 0, and the bound grows by about e^0.1 a round, noise included.
  expect(stated[7][0] / stated[0][0]).toBeGreaterThan(1.5);
});

test('local noise: every client adds its own, and sums have that of the realised cohort', async () => {
  const settings = config({ noisePlacement: 'local', noise: { sigmaClient: 4 } });
  const privacy = new RunPrivacy(settings, layout, 200);
  const { noise } = await released(settings, 4);
  for (const [t, values] of noise.entries()) {
    const n = privacy.cohort(t + 1).length;
    privacy.spend(privacy.entry(t + 1));
    const wanted = (4 * 0.5 * Math.sqrt(n)) / S;
    expect(Math.abs(Math.sqrt(dot(values, values) / SIZE) / wanted - 1)).toBeLessThan(LIMIT / Math.sqrt(2 * SIZE));
  }
});
