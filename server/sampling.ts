import { PrivacyError } from '../errors.ts';
import { poissonCohortLimit, samplingRate } from '../privacy/sampling.ts';
import { preciseUniform, type RandomStream } from '../random/stream.ts';

/**
 * Poisson sampling: every user 0 … population − 1 joins independently with probability q. Skips between members are drawn
 * from the geometric distribution, so the work is proportional to the cohort and not to the population.
 * @returns the ids of the members in ascending order
 * @throws PrivacyError when q is not in [0, 1]
 */
export function poissonSample(population: number, q: number, random: RandomStream): number[] {
  if (!(q >= 0 && q <= 1)) throw new PrivacyError(`sampling rate ${q} is not a probability; it must lie in [0, 1]`);
  if (q === 0) return [];
  if (q === 1) return Array.from({ length: population }, (_, id) => id);
  const cohort: number[] = [];
  const logOfStayingOut = Math.log1p(-q);
  for (let id = geometric(logOfStayingOut, random); id < population; id += 1 + geometric(logOfStayingOut, random)) {
    cohort.push(id);
  }
  return cohort;
}

/** Number of users passed over before the next member: P(at least n) = (1 − q)^n, by inversion of 52 random bits. */
function geometric(logOfStayingOut: number, random: RandomStream): number {
  // 32 bits would round rates such as 1e-9 by a noticeable fraction.
  return Math.floor(Math.log(preciseUniform(random)) / logOfStayingOut);
}

/**
 * The cohort of one central step, ascending.
 * @param random a stream of its own for each step
 * @throws PrivacyError when S / K is not a rate, or the sample exceeds `poissonCohortLimit`, beyond which sums are not exact
 */
export function sampleCohort(population: number, expectedCohort: number, random: RandomStream): number[] {
  const cohort = poissonSample(population, samplingRate(expectedCohort, population), random);
  const limit = poissonCohortLimit(expectedCohort, population);
  if (cohort.length > limit) {
    throw new PrivacyError(
      `a cohort has ${cohort.length} members where at most ${limit} are plausible; the random stream is broken`,
    );
  }
  return cohort;
}
