import { z } from 'zod';
import { auditConfig, auditProblem } from './audit/config.ts';
import { adaptiveClipping, mechanismProblems, noiseGroup } from './mechanism-config.ts';

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

/** Whether rounds share noise. */
export function isCorrelated(mechanism: MechanismKind): mechanism is 'treeAggregation' | 'bandedMatrix' {
  return mechanism === 'treeAggregation' || mechanism === 'bandedMatrix';
}

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
