import { PrivacyError } from '../errors.ts';
import type { AdaptiveSettings } from './adaptive-clipping.ts';
import type { ClippingSpec } from './clipping.ts';
import {
  type CohortSampling,
  isCorrelated,
  type MechanismKind,
  type NoisePlacement,
  type PrivacyConfig,
  type RunScale,
} from './config.ts';
import { noiseConventions } from './conventions.ts';
import {
  ADD_OR_REMOVE,
  type Adjacency,
  type MatrixMechanism,
  nonPrivate,
  type PrivacyEvent,
  type TreeAggregation,
} from './events.ts';
import { fixedCohort } from './fixed-size-sampling.ts';
import type { NoiseSource } from './noise.ts';
import type { NoiseGroup } from './noise-groups.ts';
import { correlatedNoise, roundEvent } from './round-event.ts';
import { samplingRate } from './sampling.ts';

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
