import { describe, expect, test } from '@jest/globals';
import { namedStream, type RandomStream } from '../../random/stream.ts';
import { poissonSample, sampleCohort } from '../../server/sampling.ts';

/** A stream that counts how often it is asked. */
function counting(stream: RandomStream): { readonly stream: RandomStream; draws(): number } {
  let draws = 0;
  const counted =
    <A extends unknown[]>(draw: (...args: A) => number) =>
    (...args: A) => {
      draws += 1;
      return draw(...args);
    };
  return {
    stream: { uniform: counted(stream.uniform), int32: counted(stream.int32), integer: counted(stream.integer) },
    draws: () => draws,
  };
}

describe('poissonSample', () => {
  test('rate 1 takes everybody, rate 0 nobody', () => {
    const stream = namedStream(0, 'test');
    expect(poissonSample(5, 1, stream)).toEqual([0, 1, 2, 3, 4]);
    expect(poissonSample(5, 0, stream)).toEqual([]);
  });

  test.each([Number.NaN, -0.1, 1.1])('rate %p is refused', (rate) => {
    expect(() => poissonSample(5, rate, namedStream(0, 'test'))).toThrow('not a probability');
  });

  test('ids ascend, are distinct and lie in the population', () => {
    const ids = poissonSample(1000, 0.3, namedStream(1, 'test'));
    for (let i = 1; i < ids.length; i++) expect(ids[i]).toBeGreaterThan(ids[i - 1]);
    expect(ids[0]).toBeGreaterThanOrEqual(0);
    expect(ids.at(-1)).toBeLessThan(1000);
  });

  // Standard errors: mean sqrt(npq/R), variance about npq·sqrt(2/R); five of each.
  test.each([
    [40, 0.5],
    [200, 0.05],
    [1000, 0.99],
  ])('the size of a cohort from %p users at rate %p is binomial', (population, rate) => {
    const repeats = 2000;
    const stream = namedStream(7, 'moments', population);
    const sizes = Array.from({ length: repeats }, () => poissonSample(population, rate, stream).length);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / repeats;
    const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / (repeats - 1);
    const expected = population * rate * (1 - rate);
    expect(Math.abs(mean - population * rate)).toBeLessThan(5 * Math.sqrt(expected / repeats));
    expect(Math.abs(variance - expected)).toBeLessThan(5 * expected * Math.sqrt(2 / repeats));
  });

  test('each user joins at the same rate, and neighbours join independently', () => {
    const [population, rate, repeats] = [20, 0.3, 4000];
    const stream = namedStream(3, 'users');
    const single = new Float64Array(population);
    const pair = new Float64Array(population);
    for (let r = 0; r < repeats; r++) {
      const members = new Set(poissonSample(population, rate, stream));
      for (const id of members) {
        single[id] += 1;
        if (members.has((id + 1) % population)) pair[id] += 1;
      }
    }
    // Five and a half standard errors: the largest of forty counts.
    const within = (count: number, p: number) =>
      expect(Math.abs(count / repeats - p)).toBeLessThan(5.5 * Math.sqrt((p * (1 - p)) / repeats));
    for (const count of single) within(count, rate);
    for (const count of pair) within(count, rate * rate);
  });

  test('a tiny rate over a thousand million users costs draws in proportion to the cohort', () => {
    const { stream, draws } = counting(namedStream(5, 'tiny'));
    let members = 0;
    for (let r = 0; r < 200; r++) members += poissonSample(1e9, 1e-8, stream).length;
    expect(draws()).toBe(2 * (members + 200));
    expect(Math.abs(members - 2000)).toBeLessThan(5 * Math.sqrt(2000));
  });

  test('the largest draw passes over nobody, the smallest over far more than any population', () => {
    const bits = (pattern: number): RandomStream => ({
      uniform: () => (pattern >>> 0) / 2 ** 32,
      int32: () => pattern,
      integer: () => 0,
    });
    expect(poissonSample(3, 1e-9, bits(-1))).toEqual([0, 1, 2]);
    expect(poissonSample(1e9, 1e-9, bits(0))).toEqual([]);
  });
});

describe('sampleCohort', () => {
  const draw = (seed: number, round: number, population: number, expected: number) =>
    sampleCohort(population, expected, namedStream(seed, 'cohort', round));

  test('depends on its stream alone; seed 0 is a seed like any other', () => {
    const first = draw(0, 1, 10_000, 100);
    expect(draw(0, 1, 10_000, 100)).toEqual(first);
    expect(draw(0, 2, 10_000, 100)).not.toEqual(first);
    expect(draw(1, 1, 10_000, 100)).not.toEqual(first);
  });

  test('an expected cohort of the whole population is the whole population', () => {
    expect(draw(1, 1, 6, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('an expected cohort above the population, or of nobody, is refused', () => {
    for (const expected of [101, 0, Number.NaN]) {
      expect(() => draw(1, 1, 100, expected)).toThrow('federation.expectedCohort');
    }
  });
});
