import { PrivacyError } from '../errors.ts';

/**
 * Sampling rate q = S / K of Poisson sampling: every user joins a round independently with probability q.
 * @throws PrivacyError when the population is not a positive integer or the expected cohort is not in (0, K]
 */
export function samplingRate(expectedCohort: number, population: number): number {
  if (!Number.isSafeInteger(population) || population < 1) {
    throw new PrivacyError(`population must be a positive integer, got ${population}`);
  }
  if (!(expectedCohort > 0)) {
    throw new PrivacyError(
      `the expected cohort must be positive, got ${expectedCohort}; set federation.expectedCohort`,
    );
  }
  if (expectedCohort > population) {
    throw new PrivacyError(
      `the expected cohort ${expectedCohort} exceeds the population ${population} (sampling rate q > 1); lower federation.expectedCohort or raise the population`,
    );
  }
  return expectedCohort / population;
}

/**
 * The largest cohort that the exact grid must carry: S + 20·sqrt(S) + 1000, and never more than everybody.
 * By Chernoff's bound exp(−t²/(2S + 2t/3)) a Poisson sample exceeds it with probability below e^-190, so no run ever meets it.
 */
export function poissonCohortLimit(expectedCohort: number, population: number): number {
  return Math.min(population, Math.ceil(expectedCohort + 20 * Math.sqrt(expectedCohort) + 1000));
}
