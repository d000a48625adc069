import { PrivacyError } from '../../errors.ts';
import { binomialProbabilities } from './binomial.ts';

/**
 * Privacy auditing with one training run (Steinke, Nasr & Jagielski 2023, arXiv:2305.08846): of m canaries each is included by a fair
 * coin of its own; who sees the output guesses r of the coins and abstains from the others. Under (ε, δ)-differential privacy at most so
 * many guesses are right.
 */

/** Guesses about coins. */
export interface Guesses {
  /** m: all canaries, each in or out by a fair coin. */
  readonly canaries: number;
  /** r: coins that were guessed; their number must not depend on the coins. */
  readonly guesses: number;
  /** v: guesses that were right. */
  readonly correct: number;
}

/**
 * Chance of so many right guesses, at most, if the output is (ε, δ)-differentially private in each coin (Theorem 5.2 and Appendix D):
 *
 *     P[W ≥ v] + 2mδ · max_i P[v > W ≥ v − i] / i,    W ~ Binomial(r, e^ε / (1 + e^ε)).
 */
export function pValue({ canaries, guesses, correct }: Guesses, epsilon: number, delta: number): number {
  const probabilities = binomialProbabilities(guesses, 1 / (1 + Math.exp(-epsilon)));
  let tail = 0;
  for (let k = guesses; k >= correct; k--) tail += probabilities[k];
  let below = 0;
  let most = 0;
  for (let i = 1; i <= correct; i++) {
    below += probabilities[correct - i];
    most = Math.max(most, below / i);
  }
  return Math.min(1, tail + 2 * canaries * delta * most);
}

/**
 * The largest ε (to 1e-6, from below) such that all smaller ones are refuted at level `beta`: with probability at least 1 − beta it is no
 * larger than the true one, whatever the mechanism. 0 when the guesses refute nothing.
 * @throws PrivacyError unless 0 ≤ correct ≤ guesses ≤ canaries and 0 < beta < 1
 */
export function epsilonLowerBound(result: Guesses, delta: number, beta: number): number {
  const { canaries, guesses, correct } = result;
  if (!(correct >= 0 && correct <= guesses && guesses <= canaries && beta > 0 && beta < 1)) {
    throw new PrivacyError(`audit: ${correct} right of ${guesses} guesses on ${canaries} canaries at level ${beta}`);
  }
  const refuted = (epsilon: number) => pValue(result, epsilon, delta) < beta;
  if (!refuted(0)) return 0;
  let low = 0;
  let high = 1;
  while (refuted(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (refuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Parts of the canaries that are guessed: which is best depends on ε, so all are tried and the level is shared among them. */
const GUESSED_PARTS: readonly number[] = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];

/** A lower bound on ε and the guesses that gave it. */
export interface OneRunBound {
  /** Holds with the confidence that was asked for, under any mechanism. */
  readonly epsilonLower: number;
  /** r and v of the best of the fixed numbers of guesses. */
  readonly guesses: number;
  readonly correct: number;
}

/**
 * The lower bound from scores: half of the guesses say "in", for the highest scores, the other half "out", for the lowest. The numbers
 * of guesses are fixed beforehand, and each gets its part of the level (union bound).
 * @param scores higher for canaries that look included
 * @param included the coins
 */
export function oneRunBound(
  scores: ArrayLike<number>,
  included: ArrayLike<boolean>,
  delta: number,
  confidence: number,
): OneRunBound {
  const canaries = scores.length;
  const order = Array.from({ length: canaries }, (_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const beta = (1 - confidence) / GUESSED_PARTS.length;
  let best: OneRunBound = { epsilonLower: 0, guesses: 0, correct: 0 };
  for (const part of GUESSED_PARTS) {
    const half = Math.floor((canaries * part) / 2);
    if (half === 0) continue;
    const right = order.filter((canary, rank) =>
      rank < half ? included[canary] : rank >= canaries - half && !included[canary],
    );
    const guesses = 2 * half;
    const correct = right.length;
    const epsilonLower = epsilonLowerBound({ canaries, guesses, correct }, delta, beta);
    if (epsilonLower > best.epsilonLower || best.guesses === 0) best = { epsilonLower, guesses, correct };
  }
  return best;
}
