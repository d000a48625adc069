import { PrivacyError } from '../errors.ts';
import { preciseUniform, type RandomStream } from '../random/stream.ts';

/**
 * The size of cohorts of fixed size.
 * @throws PrivacyError unless it is a whole number of users, from 1 to all
 */
export function fixedCohort(cohort: number, population: number): number {
  if (!Number.isSafeInteger(cohort) || cohort < 1 || cohort > population) {
    throw new PrivacyError(
      `federation.expectedCohort: cohorts of fixed size need a whole number of users from 1 to ${population}, got ${cohort}`,
    );
  }
  return cohort;
}

/**
 * A uniform subset of exactly `cohort` of the users 0 … population − 1, ascending, without replacement (Floyd's algorithm, Bentley & Floyd
 * 1987): as many draws as members, of 52 bits each, so that no user is preferred by more than population · 2^−52.
 * @throws PrivacyError when the cohort is not a whole number of users
 */
export function fixedSizeSample(population: number, cohort: number, random: RandomStream): number[] {
  const members = new Set<number>();
  for (let last = population - fixedCohort(cohort, population); last < population; last++) {
    const id = Math.floor(preciseUniform(random) * (last + 1));
    members.add(members.has(id) ? last : id);
  }
  return [...members].sort((a, b) => a - b);
}
