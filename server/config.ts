import { z } from 'zod';
import { parameterTransport } from '../client/parameter-transport.ts';
import { weightingConfig } from '../privacy/weighting.ts';

/** How the central learning rate changes with the central step t = 1, 2, … */
export const scheduleConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant') }),
  z.strictObject({
    kind: z.literal('exponential-decay'),
    start: z.int().min(1).describe('First central step with a decayed rate.'),
    every: z.int().min(1).describe('Central steps between two decays.'),
    factor: z
      .number()
      .gt(0)
      .max(1)
      .describe('What the rate is multiplied with at `start` and every `every` steps after it.'),
  }),
]);
export type ScheduleConfig = z.infer<typeof scheduleConfig>;

const learningRate = z.number().gt(0).describe('Learning rate of the first central step.');
const schedule = scheduleConfig
  .prefault({ kind: 'constant' })
  .describe('Course of the learning rate over central steps.');
const momentum = z.number().min(0).lt(1).describe('Decay of the momentum trace; 0 is none.');
const beta1 = z.number().min(0).lt(1).default(0.9).describe('Decay of the mean of gradients.');
const beta2 = z.number().min(0).lt(1).default(0.999).describe('Decay of the mean of squared gradients.');
const weightDecay = z.number().min(0).default(0).describe('Multiple of the weights added to the update.');
const epsilon = z.number().min(0).describe('Added to the root of the second moment (ξ in the paper).');

/**
 * The central optimizer. Defaults are those of optax, as in arXiv:2310.00098 App. E.4; LARS therefore has
 * trustCoefficient 0.001, with which the learning rate of 0.5 used for seed models is a sensible one.
 */
export const optimizerConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sgd'), learningRate, momentum: momentum.default(0), schedule }),
  z.strictObject({ kind: z.literal('adam'), learningRate, beta1, beta2, epsilon: epsilon.default(1e-8), schedule }),
  z.strictObject({
    kind: z.literal('lamb'),
    learningRate,
    beta1,
    beta2,
    epsilon: epsilon.default(1e-6),
    weightDecay,
    schedule,
  }),
  z.strictObject({
    kind: z.literal('lars'),
    learningRate,
    momentum: momentum.default(0.9),
    weightDecay,
    trustCoefficient: z.number().gt(0).default(0.001).describe("Factor on each layer's trust ratio."),
    schedule,
  }),
]);
export type OptimizerConfig = z.infer<typeof optimizerConfig>;

/** Rounds, cohorts and how the work is spread over workers. */
export const federationConfig = z.strictObject({
  rounds: z.int().min(1).describe('Central steps T.'),
  expectedCohort: z
    .number()
    .gt(0)
    .describe('Expected cohort size S: each of the K users joins a round independently with probability q = S / K.'),
  sampling: z
    .enum(['poisson', 'fixedSize', 'cyclic'])
    .default('poisson')
    .describe(
      'How cohorts are drawn. poisson: every user independently; fixedSize: exactly S users without replacement, accounted by RDP for replacing one user, which costs far more; cyclic: exactly S users from a shuffled circular order, so that nobody takes part again before K / S rounds; for mechanisms treeAggregation and bandedMatrix.',
    ),
  weighting: weightingConfig
    .optional()
    .describe('How much a client counts; left out, all the same. The sum is divided by S whatever the weights are.'),
  shardSize: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Most clients per lease handed to a worker. Left out, shards are sized by expected work: large at first, small at the end of a round. No result depends on it.',
    ),
  workers: z
    .int()
    .min(0)
    .default(2)
    .describe(
      'Worker processes that `dpfl run` starts on this machine; 0: clients train in its own process, without gRPC, for debugging and small runs. `dpfl server` waits for workers started elsewhere.',
    ),
  transport: parameterTransport
    .default('float32')
    .describe(
      'Format in which parameters travel to those who train. float16 and bfloat16 halve that traffic: clients then train from rounded parameters, while the server keeps its own in float32. Sums always come back exact.',
    ),
  kernels: z
    .enum(['native', 'portable'])
    .default('native')
    .describe(
      "native: convolutions in the memory layout of this machine's processor; all workers need one of the same kind. portable: any mix of processors, convolutions up to half as slow again. Results differ in the last bits.",
    ),
  leaseSeconds: z
    .number()
    .gt(0)
    .default(600)
    .describe('Seconds after which a shard without a result is given to another worker as well.'),
  silenceSeconds: z
    .number()
    .gt(0)
    .default(60)
    .describe(
      'Seconds without a sign of life after which the shard of a worker is given to another as well. Workers give one four times as often, also in the middle of a client.',
    ),
  waitForWorkersSeconds: z
    .number()
    .gt(0)
    .default(3600)
    .describe('Seconds that a run waits while no worker is connected, before it ends with an error.'),
});

export type FederationConfig = z.infer<typeof federationConfig>;

/** When and how the model is measured on held-out examples. */
export const evaluationConfig = z.strictObject({
  every: z.int().min(1).default(5).describe('Rounds between evaluations; round 0 and the last are always evaluated.'),
  batchSize: z.int().min(1).default(32).describe('Examples per forward pass.'),
});

/** When the state of a run is saved. */
export const checkpointConfig = z.strictObject({
  every: z.int().min(1).default(10).describe('Rounds between checkpoints; the last round always gets one.'),
  keep: z.int().min(1).default(2).describe('Newest checkpoints to keep.'),
});

/** The central stage before federated learning, on public examples (arXiv:2310.00098: LARS, gradient norm clip 1). */
export const seedModelConfig = z.strictObject({
  steps: z.int().min(1).describe('Central steps on public examples.'),
  batchSize: z.int().min(1).default(16).describe('Public examples per step.'),
  maxGradientNorm: z
    .number()
    .gt(0)
    .nullable()
    .default(1)
    .describe('Each gradient is clipped globally to this norm; null for none.'),
  optimizer: optimizerConfig
    .prefault({ kind: 'lars', learningRate: 0.5 })
    .describe('Central optimizer of this stage; its schedule counts the steps of this stage.'),
});
export type SeedModelConfig = z.infer<typeof seedModelConfig>;
