import { PrivacyError } from '../errors.ts';
import type { PrivacyAccountant } from './accountant.ts';
import { gaussianEpsilon } from './analytic-gaussian.ts';
import { isPlainGaussian, totalMu } from './analytic-gaussian-accountant.ts';
import { ADD_OR_REMOVE, type Adjacency, type PrivacyEvent } from './events.ts';
import { Spent } from './spent.ts';

/**
 * ε at δ for a group of `size` users whose data is added, removed or changed together. Gaussian noise on everybody: exactly, with a sensitivity of `size`.
 * Anything else by going from neighbour to neighbour: (ε, δ′) for one user gives (size·ε, δ′·(e^(size·ε) − 1)/(e^ε − 1)) for the group
 * (Vadhan 2017, Lemma 2.2), with the largest δ′ that keeps this within δ.
 * @returns infinity where no δ′ above 1e-300 is small enough
 * @throws PrivacyError when the size is not a whole number above 0, or the accountant does not support the event
 */
export function groupEpsilon(
  accountant: PrivacyAccountant,
  event: PrivacyEvent,
  delta: number,
  size: number,
  adjacency: Adjacency = ADD_OR_REMOVE,
): number {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new PrivacyError(`group privacy: the size must be a whole number, 1 or more, got ${size}`);
  }
  const total = accountant.start(adjacency);
  total.add(event);
  if (size === 1) return total.epsilon(delta).epsilon;
  const spent = new Spent(adjacency);
  spent.add(event);
  const mechanisms = spent.mechanisms();
  if (!spent.withoutPrivacy && mechanisms.length > 0 && isPlainGaussian(mechanisms)) {
    return gaussianEpsilon(size * totalMu(mechanisms), delta).upper;
  }
  const logDelta = Math.log(delta);
  const fits = (logShare: number): { readonly epsilon: number; readonly within: boolean } => {
    const { epsilon } = total.epsilon(Math.exp(logShare));
    const growth = epsilon === 0 ? Math.log(size) : logRatioOfExpm1(size * epsilon, epsilon);
    return { epsilon, within: logShare + growth <= logDelta };
  };
  let gap = Math.log(size);
  let high = logDelta - gap;
  let best = fits(high);
  while (!best.within) {
    gap *= 2;
    if (gap > 690 + logDelta) return Number.POSITIVE_INFINITY;
    high = logDelta - gap / 2;
    best = fits(logDelta - gap);
  }
  let low = logDelta - gap;
  while (high - low > 0.01) {
    const middle = (low + high) / 2;
    const candidate = fits(middle);
    if (candidate.within) {
      best = candidate;
      low = middle;
    } else high = middle;
  }
  return size * best.epsilon;
}

/** log((e^a − 1)/(e^b − 1)) for a ≥ b > 0. */
function logRatioOfExpm1(a: number, b: number): number {
  return a - b + Math.log(-Math.expm1(-a)) - Math.log(-Math.expm1(-b));
}
