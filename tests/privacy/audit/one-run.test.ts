import { describe, expect, test } from '@jest/globals';
import { gaussianEpsilon } from '../../../privacy/analytic-gaussian.ts';
import { epsilonLowerBound, oneRunBound, pValue } from '../../../privacy/audit/one-run.ts';
import { standardNormal } from '../../../random/normal.ts';
import { namedStream } from '../../../random/stream.ts';

describe('lower bound from guesses', () => {
  test.each([
    // arXiv:2305.08846v1, Appendix D, and §7 with Figure 11 (printed cut, not rounded).
    { canaries: 1000, guesses: 100, correct: 75, delta: 1e-4, published: 0.673 },
    { canaries: 100_000, guesses: 1510, correct: 1439, delta: 1e-5, published: 2.675 },
  ])('is the published one: $correct of $guesses', ({ delta, published, ...guesses }) => {
    expect(Math.abs(epsilonLowerBound(guesses, delta, 0.05) - published)).toBeLessThan(1e-3);
  });

  test('without δ and all right it is the closed form: q^r = β', () => {
    const q = 0.05 ** (1 / 40);
    const bound = epsilonLowerBound({ canaries: 40, guesses: 40, correct: 40 }, 0, 0.05);
    expect(Math.abs(bound - Math.log(q / (1 - q)))).toBeLessThan(2e-6);
  });

  test('chance proves nothing, and too large a δ neither', () => {
    expect(epsilonLowerBound({ canaries: 1000, guesses: 1000, correct: 510 }, 0, 0.05)).toBe(0);
    expect(epsilonLowerBound({ canaries: 1000, guesses: 100, correct: 90 }, 0.01, 0.05)).toBe(0);
  });

  test('a larger ε is never refuted by what a smaller one allows', () => {
    for (const correct of [60, 75, 99, 100]) {
      const values = Array.from({ length: 80 }, (_, i) =>
        pValue({ canaries: 500, guesses: 100, correct }, i / 10, 1e-4),
      );
      // From where it counts, a level of 0.3 on downwards.
      const rising = values.filter((p) => p < 0.3);
      expect(rising.every((p, i) => i === 0 || p >= rising[i - 1])).toBe(true);
    }
  });

  test.each([
    { correct: 3, guesses: 2, canaries: 5 },
    { correct: 1, guesses: 6, canaries: 5 },
  ])('impossible numbers are refused', (guesses) => {
    expect(() => epsilonLowerBound(guesses, 0, 0.05)).toThrow('audit');
  });
});

/** Audits `runs` simulated mechanisms; `score` draws what the mechanism shows of one coin. */
function bounds(name: string, runs: number, canaries: number, delta: number, score: Score): number[] {
  return Array.from({ length: runs }, (_, run) => {
    const random = namedStream(7, name, run);
    const included = Array.from({ length: canaries }, () => random.int32() < 0);
    const scores = included.map((coin) => score(coin, random));
    return oneRunBound(scores, included, delta, 0.9).epsilonLower;
  });
}
type Score = (coin: boolean, random: ReturnType<typeof namedStream>) => number;

describe('mechanisms of known ε', () => {
  test('randomised response: the bound is above the truth no more often than its level says, and near it', () => {
    const epsilon = 1;
    const keep = Math.exp(epsilon) / (1 + Math.exp(epsilon));
    const found = bounds(
      'randomised-response',
      200,
      1000,
      0,
      (coin, random) =>
        // Noise far below the signal breaks ties.
        Number(random.uniform() < keep === coin) + 1e-6 * random.uniform(),
    );
    // 200 runs at a level of 10 %: 20 are allowed; the union bound keeps it below.
    expect(found.filter((bound) => bound > epsilon).length).toBeLessThanOrEqual(20);
    expect(found.reduce((sum, bound) => sum + bound, 0) / found.length).toBeGreaterThan(0.6 * epsilon);
  });

  test('Gaussian noise: right noise is not contradicted, half of it is', () => {
    const delta = 1e-5;
    const claim = gaussianEpsilon(0.5, delta).upper;
    const shifted = (mu: number) => (coin: boolean, random: Parameters<Score>[1]) =>
      Number(coin) * mu + standardNormal(random);
    const right = bounds('right-noise', 100, 2000, delta, shifted(0.5));
    expect(right.filter((bound) => bound > claim).length).toBeLessThanOrEqual(10);
    const halved = bounds('halved-noise', 4, 32_000, delta, shifted(1));
    expect(Math.min(...halved)).toBeGreaterThan(claim);
  });
});
