import { gaussianEpsilon } from '../analytic-gaussian.ts';
import { logErfc } from '../log-erfc.ts';

/** An estimate of ε, and where its statistical error leaves it. Neither end is certified. */
export interface OneShotEstimate {
  /** Distance of the means of included and excluded canaries, in standard deviations: μ of Gaussian differential privacy. */
  readonly mu: number;
  readonly epsilon: number;
  /** One-sided lower limit at the confidence asked for, if the scores are normal and independent. */
  readonly epsilonLower: number;
  readonly confidence: number;
}

/**
 * One-shot empirical privacy estimation (Andrew et al. 2023, arXiv:2302.03098): the scores of canaries that took part and of such that did
 * not are taken for draws from two normal distributions, and ε is that of telling one from the other. dpfl's excluded canaries take the place
 * of the paper's known distribution N(0, 1/d) of unobserved ones, and both are given one variance. An estimate of the ε against this
 * observer: nothing about the true mechanism is proved by it.
 * @returns null with fewer than two canaries on either side
 */
export function oneShotEstimate(
  scores: ArrayLike<number>,
  included: ArrayLike<boolean>,
  delta: number,
  confidence: number,
): OneShotEstimate | null {
  const all = Array.from({ length: scores.length }, (_, i) => i);
  const inside = moments(all.filter((i) => included[i]).map((i) => scores[i]));
  const outside = moments(all.filter((i) => !included[i]).map((i) => scores[i]));
  if (inside.count < 2 || outside.count < 2) return null;
  const freedom = inside.count + outside.count - 2;
  const deviation = Math.sqrt((inside.squares + outside.squares) / freedom);
  const mu = (inside.mean - outside.mean) / deviation;
  if (Number.isNaN(mu)) return null;
  // Variance of the standardised difference of means (Hedges & Olkin 1985).
  const error = Math.sqrt(1 / inside.count + 1 / outside.count + (mu * mu) / (2 * (freedom + 2)));
  const least = mu - normalQuantile(confidence) * error;
  return { mu, epsilon: epsilonOf(mu, delta), epsilonLower: epsilonOf(least, delta), confidence };
}

function epsilonOf(mu: number, delta: number): number {
  if (!(mu > 0)) return 0;
  return Number.isFinite(mu) ? gaussianEpsilon(mu, delta).upper : mu;
}

function moments(values: readonly number[]): { count: number; mean: number; squares: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { count, mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** x with Φ(x) = p, by bisection. */
function normalQuantile(p: number): number {
  let [low, high] = [-40, 40];
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (Math.exp(logErfc(-middle / Math.SQRT2)) / 2 < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
