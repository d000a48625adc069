import { PrivacyError } from '../errors.ts';
import type { RandomStream } from '../random/stream.ts';
import type { Participation } from './events.ts';

/**
 * How often users take part when rounds take consecutive windows of `cohort` users from a fixed circular order of all of them: again after
 * ⌊K / S⌋ rounds at the earliest, and ⌈T·S / K⌉ times at most.
 * @throws PrivacyError when the cohort is not a whole number of users, from 1 to all
 */
export function cyclicParticipation(population: number, cohort: number, rounds: number): Participation {
  if (!Number.isSafeInteger(cohort) || cohort < 1 || cohort > population) {
    throw new PrivacyError(
      `federation.expectedCohort: cyclic sampling needs a whole number of users from 1 to ${population}, got ${cohort}`,
    );
  }
  return {
    minSeparation: Math.floor(population / cohort),
    maxParticipations: Math.ceil((rounds * cohort) / population),
  };
}

/** Users 0 … population − 1 in random order (Fisher & Yates). */
export function shuffledOrder(population: number, random: RandomStream): Uint32Array {
  const order = Uint32Array.from({ length: population }, (_, id) => id);
  for (let i = population - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const id = order[i];
    order[i] = order[j];
    order[j] = id;
  }
  return order;
}

/** The cohort of central step `round` (1, 2, …), ascending: the next window of the order, which closes to a circle. */
export function cyclicCohort(order: Uint32Array, cohort: number, round: number): number[] {
  const start = ((round - 1) * cohort) % order.length;
  const members = Array.from({ length: cohort }, (_, i) => order[(start + i) % order.length]);
  return members.sort((a, b) => a - b);
}
