import { z } from 'zod';
import { PrivacyError } from '../errors.ts';
import type { AdaptiveSettings } from './adaptive-clipping.ts';
import { auditConfig, auditProblem } from './audit/config.ts';
import type { ClippingSpec } from './clipping.ts';
import { type NoiseConventions, noiseConventions } from './conventions.ts';
import { cyclicParticipation } from './cyclic-sampling.ts';
import {
  ADD_OR_REMOVE,
  type Adjacency,
  fixedSizeSampled,
  gaussian,
  laplace,
  type MatrixMechanism,
  matrixMechanism,
  mechanismStep,
  nonPrivate,
  type PrivacyEvent,
  poissonSampled,
  type TreeAggregation,
  treeAggregation,
} from './events.ts';
import { fixedCohort } from './fixed-size-sampling.ts';
import { adaptiveClipping, mechanismProblems, noiseGroup } from './mechanism-config.ts';
import type { NoiseSource } from './noise.ts';
import type { NoiseGroup } from './noise-groups.ts';
import { samplingRate } from './sampling.ts';
import { treeLevels } from './tree-noise.ts';

const positive = z.number().positive();

const noise = z
  .strictObject({
    multiplier: positive
      .optional()
      .describe('noise multiplier z: std on the sum of clipped deltas, in units of the clipping bound'),
    sigmaDp: positive.optional().describe('std on the average, in units of the clipping bound; z = sigmaDp · S'),
    sigmaClient: positive
      .optional()
      .describe('std on each client’s delta, in units of the clipping bound; z = sigmaClient · sqrt(S)'),
    calibrate: z
      .literal(true)
      .optional()
      .describe('the least noise with which all rounds stay within privacy.budget, found before the run'),
  })
  .refine((value) => Object.values(value).filter((sigma) => sigma !== undefined).length === 1, {
    error:
      'give exactly one of multiplier, sigmaDp, sigmaClient (three ways to state the same noise) or calibrate: true',
  });

const clipping = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z
      .enum(['global', 'uniform', 'dim', 'l1'])
      .describe(
        'one norm for the whole delta, or per layer: equal shares, or shares by layer size; l1: the L1 norm of the whole, for mechanism laplace',
      ),
    bound: positive.describe('clipping bound C on the norm of a client’s delta'),
    adaptive: adaptiveClipping.optional().describe('bounds that follow a quantile of the norms, from this bound on'),
  }),
  z.strictObject({
    mode: z.literal('none').describe('no clipping; only with mechanism: none'),
    bound: positive
      .default(1024)
      .describe('largest magnitude of one coordinate; a delta beyond it is rejected as a non-finite one is'),
  }),
]);

const budget = z.strictObject({
  epsilon: positive.describe('largest epsilon that may be spent'),
  delta: z.number().gt(0).lt(1).describe('the delta at which it is'),
});

const extrapolation = z
  .strictObject({
    population: z.int().min(1).describe('population K of the deployment spoken about'),
    expectedCohort: positive.describe('its expected cohort S'),
  })
  .refine(({ population, expectedCohort }) => expectedCohort <= population, {
    error: 'the expected cohort exceeds the population (sampling rate above 1); lower expectedCohort',
    path: ['expectedCohort'],
  });

/** The `privacy` section of a run configuration. Unknown and unused keys are errors: no privacy setting is silently ignored. */
export const privacyConfig = z
  .strictObject({
    clipping: clipping.describe('how client deltas are clipped'),
    mechanism: z
      .enum(['gaussian', 'discreteGaussian', 'laplace', 'treeAggregation', 'bandedMatrix', 'none'])
      .default('gaussian')
      .describe(
        'distribution of the noise; discreteGaussian is drawn exactly; treeAggregation and bandedMatrix correlate it over rounds, for cyclic sampling; none trains without differential privacy',
      ),
    bands: z
      .int()
      .min(1)
      .optional()
      .describe(
        'for bandedMatrix: rounds whose noise is correlated; at most the rounds between two participations of a user',
      ),
    noise: noise.optional().describe('amount of noise, in one of three conventions'),
    noisePlacement: z
      .enum(['central', 'shares', 'local'])
      .default('central')
      .describe(
        'who adds the noise: the server; the clients, whose shares add up to the same; or every client all of its own (local DP)',
      ),
    noiseGroups: z
      .array(noiseGroup)
      .min(1)
      .optional()
      .describe('layers with more or less noise than others, at the same combined noise multiplier'),
    noiseSource: z
      .enum(['seeded', 'cryptographic'])
      .default('seeded')
      .describe('seeded noise is reproducible (research); cryptographic noise is for release'),
    delta: z.number().gt(0).lt(1).default(1e-9).describe('δ of the (ε, δ) guarantee; well below 1 / population'),
    accountant: z
      .enum(['pld', 'rdp'])
      .optional()
      .describe(
        'how epsilon is accounted for report and budget: pld (certified upper end) or rdp; when absent, pld where the mechanism has a privacy-loss distribution',
      ),
    budget: budget
      .optional()
      .describe('the run ends before the round that would spend more than this, also after resuming'),
    extrapolate: z
      .array(extrapolation)
      .default([])
      .describe('other populations and cohorts to quote epsilon for, labelled as extrapolation'),
    audit: auditConfig
      .optional()
      .describe('canaries that bound epsilon empirically from below; they disturb the model a little'),
  })
  .superRefine((config, context) => {
    const problem = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (config.noise?.calibrate && config.budget === undefined) {
      problem(['noise', 'calibrate'], 'needs privacy.budget: { epsilon, delta }, to which the noise is calibrated');
    }
    if (config.noise?.calibrate && config.noisePlacement === 'local') {
      problem(
        ['noise', 'calibrate'],
        'with local noise epsilon depends on how often users take part; state sigmaClient',
      );
    }
    for (const { path, message } of mechanismProblems(config)) problem([...path], message);
    const notAudited = auditProblem(config);
    if (notAudited !== undefined) problem(['audit'], notAudited);
    if (config.mechanism !== 'none') {
      if (config.clipping.mode === 'none') {
        problem(
          ['clipping', 'mode'],
          `${config.mechanism} noise protects nobody without clipping; choose ${config.mechanism === 'laplace' ? 'l1' : 'global, uniform or dim'}`,
        );
      }
      if (config.noise === undefined) {
        problem(['noise'], `mechanism ${config.mechanism} needs noise: { multiplier | sigmaDp | sigmaClient }`);
      }
    } else {
      if (config.noise !== undefined) problem(['noise'], 'mechanism none adds no noise; remove noise');
      if (config.budget !== undefined) {
        problem(['budget'], 'without noise any budget is exceeded at once; remove budget');
      }
      if (config.extrapolate.length > 0) {
        problem(['extrapolate'], 'without noise there is no epsilon to extrapolate; remove extrapolate');
      }
    }
  });

export type PrivacyConfig = z.infer<typeof privacyConfig>;
export type MechanismKind = PrivacyConfig['mechanism'];
export type NoisePlacement = PrivacyConfig['noisePlacement'];

/** How cohorts are drawn; what is released, and so epsilon, depends on it. */
export type CohortSampling = 'poisson' | 'fixedSize' | 'cyclic';

/** What the privacy section must know of the rest of a run. */
export interface RunScale {
  readonly expectedCohort: number;
  readonly population: number;
  /** What over-selection makes of the expected cohort; default: the same. */
  readonly sampledCohort?: number;
  readonly rounds?: number | undefined;
  /** Default: poisson. */
  readonly sampling?: CohortSampling | undefined;
}

/** Everything that privacy means in one run, in every unit that code and reports need. */
export interface ResolvedPrivacy {
  readonly clipping: ClippingSpec;
  readonly mechanism: MechanismKind;
  readonly noiseSource: NoiseSource;
  readonly noisePlacement: NoisePlacement;
  /** Neighbouring data sets that the guarantee is about. */
  readonly adjacency: Adjacency;
  readonly sampling: CohortSampling;
  readonly population: number;
  readonly expectedCohort: number;
  /** Clients that a round is expected to sample: S, or more with over-selection. */
  readonly sampledCohort: number;
  /** q = sampled cohort / K */
  readonly samplingRate: number;
  /** The noise in the three conventions of `conventions.ts`; all null without noise. */
  readonly noiseMultiplier: number | null;
  readonly sigmaDp: number | null;
  readonly sigmaClient: number | null;
  /** Standard deviation on the sum of clipped deltas, in units of the parameters: z·C, √2·z·C for laplace; null without noise. */
  readonly standardDeviation: number | null;
  /** Noise that is correlated over rounds; null where it is not. */
  readonly correlated: TreeAggregation | MatrixMechanism | null;
  /** Bands of the strategy matrix; 1 where there is none. */
  readonly bands: number;
  /** How the clipping bound moves; undefined when it stays. */
  readonly adaptive: AdaptiveSettings | undefined;
  /** Layers with noise of their own; undefined when all have the same. */
  readonly noiseGroups: readonly NoiseGroup[] | undefined;
  /** Synthetic users of the audit; 0 without one. */
  readonly canaries: number;
  readonly delta: number;
  /** What a central step costs; the ledger may say the same in more detail. */
  readonly roundEvent: PrivacyEvent;
  /** Plain sentences on settings that are allowed but weaken the statement. */
  readonly warnings: readonly string[];
}

/**
 * Ties the privacy section to the cohort and the population of the run. `sampledCohort` is what over-selection makes of the expected
 * cohort S: it decides the sampling rate, while noise and divisor go by S.
 * @throws PrivacyError when the sampling rate exceeds 1, or the noise multiplier is not finite
 */
export function resolvePrivacy(config: PrivacyConfig, scale: RunScale): ResolvedPrivacy {
  const { expectedCohort, population, sampledCohort = expectedCohort, sampling = 'poisson' } = scale;
  const rate = samplingRate(sampledCohort, population);
  if (sampling === 'fixedSize') fixedCohort(sampledCohort, population);
  const common = {
    clipping: { mode: config.clipping.mode, bound: config.clipping.bound },
    mechanism: config.mechanism,
    noiseSource: config.noiseSource,
    noisePlacement: config.noisePlacement,
    adjacency: adjacencyOf(config, sampling),
    sampling,
    population,
    expectedCohort,
    sampledCohort,
    samplingRate: rate,
    adaptive: adaptiveSettings(config.clipping, expectedCohort),
    bands: config.bands ?? 1,
    noiseGroups: config.noiseGroups,
    canaries: config.audit?.canaries ?? 0,
    delta: config.delta,
  };
  if (config.mechanism === 'none') {
    return {
      ...common,
      noiseMultiplier: null,
      sigmaDp: null,
      sigmaClient: null,
      standardDeviation: null,
      correlated: null,
      roundEvent: nonPrivate('privacy.mechanism is none: the sum of client deltas is used without noise'),
      warnings: [],
    };
  }
  if (config.noise === undefined || config.clipping.mode === 'none') {
    throw new PrivacyError(`privacy: mechanism ${config.mechanism} needs noise and a clipping mode other than none`);
  }
  if (config.noise.calibrate) throw new PrivacyError('privacy.noise: calibrate has no noise before it is calibrated');
  const noise = noiseConventions(config.noise, expectedCohort);
  const populations = [
    { key: 'privacy.delta', population },
    ...config.extrapolate.map((target) => ({ key: 'privacy.extrapolate: delta', population: target.population })),
  ];
  const warnings = populations
    .filter((each) => config.delta > 1 / each.population)
    .map(
      (each) =>
        `${each.key} ${config.delta} exceeds 1 / population (1 / ${each.population}): it allows releasing all data of a random user; lower privacy.delta`,
    );
  return {
    ...common,
    ...noise,
    standardDeviation:
      noise.noiseMultiplier * config.clipping.bound * (config.mechanism === 'laplace' ? Math.SQRT2 : 1),
    correlated: correlatedNoise(config, noise.noiseMultiplier, scale),
    roundEvent: roundEvent(config, { sampling, population, sampledCohort, samplingRate: rate }, noise, scale),
    warnings,
  };
}

function adaptiveSettings(clipping: PrivacyConfig['clipping'], expectedCohort: number): AdaptiveSettings | undefined {
  if (clipping.mode === 'none' || clipping.adaptive === undefined) return undefined;
  // The default of Andrew et al. 2021, §3.1.
  return { countNoise: expectedCohort / 20, ...clipping.adaptive };
}

function adjacencyOf({ mechanism, noisePlacement }: PrivacyConfig, sampling: CohortSampling): Adjacency {
  if (noisePlacement === 'local' || sampling === 'fixedSize') return 'replace-one-user';
  return isCorrelated(mechanism) ? 'zero-out-one-user' : ADD_OR_REMOVE;
}

/** Whether rounds share noise. */
export function isCorrelated(mechanism: MechanismKind): mechanism is 'treeAggregation' | 'bandedMatrix' {
  return mechanism === 'treeAggregation' || mechanism === 'bandedMatrix';
}

/**
 * The mechanism over all rounds, with noise such that one participation of a user has the noise multiplier z.
 * @throws PrivacyError when bands are wider than the rounds between two participations
 */
function correlatedNoise(
  { mechanism, bands = 1 }: PrivacyConfig,
  noiseMultiplier: number,
  { expectedCohort, population, sampledCohort = expectedCohort, rounds }: RunScale,
): TreeAggregation | MatrixMechanism | null {
  if (!isCorrelated(mechanism)) return null;
  if (rounds === undefined) throw new PrivacyError(`mechanism ${mechanism} is accounted for a number of rounds`);
  const participation = cyclicParticipation(population, sampledCohort, rounds);
  if (mechanism === 'treeAggregation') {
    const perNode = noiseMultiplier * Math.sqrt(treeLevels(rounds));
    return treeAggregation({ noiseMultiplier: perNode, steps: rounds, ...participation });
  }
  if (bands > participation.minSeparation) {
    throw new PrivacyError(
      `privacy.bands: ${bands} is more than the ${participation.minSeparation} rounds after which a user takes part again; lower it`,
    );
  }
  const strategy = { kind: 'banded', bands, columnNorm: 1 } as const;
  return matrixMechanism({ noiseMultiplier, steps: rounds, ...participation, strategy });
}

function roundEvent(
  config: PrivacyConfig,
  cohort: SampledCohort,
  { noiseMultiplier, sigmaClient }: NoiseConventions,
  scale: RunScale,
): PrivacyEvent {
  const correlated = correlatedNoise(config, noiseMultiplier, scale);
  if (correlated !== null) return mechanismStep(correlated, 1);
  const { mechanism, noisePlacement } = config;
  // Whoever takes part in a local release is known: nothing is gained by sampling.
  if (noisePlacement === 'local') return gaussian(sigmaClient);
  return onCohort(cohort, mechanism === 'laplace' ? laplace(noiseMultiplier) : gaussian(noiseMultiplier));
}

type SampledCohort = Pick<ResolvedPrivacy, 'sampling' | 'population' | 'sampledCohort' | 'samplingRate'>;

/** The event of a mechanism on a cohort that is drawn at random, as it is really drawn. */
export function onCohort(cohort: SampledCohort, event: PrivacyEvent): PrivacyEvent {
  const { sampling, population, sampledCohort, samplingRate: rate } = cohort;
  switch (sampling) {
    case 'poisson':
      return poissonSampled(rate, event);
    case 'fixedSize':
      return fixedSizeSampled(sampledCohort, population, event);
    case 'cyclic':
      throw new PrivacyError('cyclic cohorts are no random sample; choose mechanism bandedMatrix or treeAggregation');
  }
}
