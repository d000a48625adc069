import { describe, expect, test } from '@jest/globals';
import { cyclicCohort, cyclicParticipation, shuffledOrder } from '../../privacy/cyclic-sampling.ts';
import { namedStream } from '../../random/stream.ts';

describe.each([
  [100, 10, 35],
  [103, 10, 40],
  [10, 7, 12],
  [5, 5, 4],
  [1000, 1, 20],
])('population %d, cohort %d, %d rounds', (population, cohort, rounds) => {
  const order = shuffledOrder(population, namedStream(1, 'order', population));
  const { minSeparation, maxParticipations } = cyclicParticipation(population, cohort, rounds);

  test('nobody takes part again before the separation, nor more often than stated', () => {
    const last = new Map<number, number>();
    const counts = new Map<number, number>();
    let closest = Number.POSITIVE_INFINITY;
    for (let round = 1; round <= rounds; round++) {
      const members = cyclicCohort(order, cohort, round);
      expect(new Set(members).size).toBe(cohort);
      expect(members).toEqual([...members].sort((a, b) => a - b));
      for (const id of members) {
        closest = Math.min(closest, round - (last.get(id) ?? Number.NEGATIVE_INFINITY));
        last.set(id, round);
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    }
    expect(closest).toBeGreaterThanOrEqual(minSeparation);
    expect(Math.max(...counts.values())).toBe(maxParticipations);
  });
});

test('the order is a shuffle: everybody once, places uniform', () => {
  const population = 20;
  const places = new Float64Array(population);
  const repeats = 4000;
  for (let r = 0; r < repeats; r++) {
    const order = shuffledOrder(population, namedStream(2, 'order', r));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: population }, (_, id) => id));
    places[order.indexOf(3)]++;
  }
  const chiSquare = places.reduce((sum, n) => sum + (n - repeats / population) ** 2 / (repeats / population), 0);
  expect(chiSquare).toBeLessThan(19 + 5 * Math.sqrt(38));
});

test('a cohort of part of a user, or of more than all, is refused', () => {
  for (const cohort of [2.5, 0, 11]) {
    expect(() => cyclicParticipation(10, cohort, 5)).toThrow('federation.expectedCohort');
  }
});
