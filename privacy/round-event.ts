import { PrivacyError } from '../errors.ts';
import { type CohortSampling, isCorrelated, type PrivacyConfig, type RunScale } from './config.ts';
import type { NoiseConventions } from './conventions.ts';
import { cyclicParticipation } from './cyclic-sampling.ts';
import {
  fixedSizeSampled,
  gaussian,
  laplace,
  type MatrixMechanism,
  matrixMechanism,
  mechanismStep,
  type PrivacyEvent,
  poissonSampled,
  type TreeAggregation,
  treeAggregation,
} from './events.ts';
import { treeLevels } from './tree-noise.ts';

/** A cohort as far as the price of its round depends on how it is drawn; `ResolvedPrivacy` is one. */
export interface SampledCohort {
  readonly sampling: CohortSampling;
  readonly population: number;
  readonly sampledCohort: number;
  readonly samplingRate: number;
}

/**
 * What a central step costs by the settings of a run.
 * @throws what `correlatedNoise` and `onCohort` throw
 */
export function roundEvent(
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

/**
 * The mechanism over all rounds, with noise such that one participation of a user has the noise multiplier z.
 * @returns null where rounds share no noise
 * @throws PrivacyError when bands are wider than the rounds between two participations
 */
export function correlatedNoise(
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

/**
 * The event of a mechanism on a cohort that is drawn at random, as it is really drawn.
 * @throws PrivacyError when cohorts are cyclic, which is no random draw
 */
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
