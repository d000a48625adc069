import { PrivacyError } from '../errors.ts';
import type { PrivacyAccountant } from './accountant.ts';
import type { PrivacyEvent } from './events.ts';

/** What a deployment is to guarantee, and how it is to run. */
export interface PlanTarget {
  readonly epsilon: number;
  readonly delta: number;
  /** Central steps T. */
  readonly steps: number;
  /** Either the sampling rate is given, and cohort and population grow together, or the cohort, and the population grows. */
  readonly cohort: { readonly samplingRate: number } | { readonly expectedCohort: number };
}

/** The smallest deployment found; an extrapolation, never a run. */
export interface PlannedDeployment {
  readonly population: number;
  readonly expectedCohort: number;
  readonly samplingRate: number;
  /** z = σ_DP·S, which it would have to add. */
  readonly noiseMultiplier: number;
  readonly epsilon: number;
}

/** The largest number of users that is looked for. */
const MOST_USERS = 1e12;
/** Relative precision of population and cohort, to the safe side. */
const PRECISION = 0.01;

/**
 * The smallest population and cohort with which noise of σ_DP on the average, and so the training that was measured with it, guarantees the target
 * (arXiv:2310.00098 §4.3): z = σ_DP·S, q = S / K. Found by bisection to 1 %, and itself accounted.
 * @returns null when 10¹² users are not enough
 * @throws PrivacyError when σ_DP or the target is not positive
 */
export function planDeployment(
  sigmaDp: number,
  target: PlanTarget,
  accountant: PrivacyAccountant,
): PlannedDeployment | null {
  if (!(sigmaDp > 0 && target.epsilon > 0)) throw new PrivacyError('plan: sigma_DP and epsilon must be above 0');
  const at = (size: number): PlannedDeployment => {
    const [expectedCohort, population] =
      'samplingRate' in target.cohort
        ? [size * target.cohort.samplingRate, size]
        : [target.cohort.expectedCohort, size];
    const noiseMultiplier = sigmaDp * expectedCohort;
    const samplingRate = expectedCohort / population;
    const event: PrivacyEvent = {
      kind: 'selfComposed',
      count: target.steps,
      event: { kind: 'poissonSampled', samplingRate, event: { kind: 'gaussian', noiseMultiplier } },
    };
    const { epsilon } = accountant.epsilon(event, target.delta);
    return { population, expectedCohort, samplingRate, noiseMultiplier, epsilon };
  };
  const smallest = 'samplingRate' in target.cohort ? 1 / target.cohort.samplingRate : target.cohort.expectedCohort;
  let low = Math.max(1, Math.ceil(smallest));
  let best = at(low);
  if (best.epsilon <= target.epsilon) return best;
  let high = low;
  while (best.epsilon > target.epsilon) {
    low = high;
    high *= 8;
    if (high > MOST_USERS) return null;
    best = at(high);
  }
  while (high / low > 1 + PRECISION && high - low > 1) {
    const middle = Math.ceil(Math.sqrt(low * high));
    const candidate = at(middle);
    if (candidate.epsilon <= target.epsilon) {
      best = candidate;
      high = middle;
    } else low = middle;
  }
  return best;
}
