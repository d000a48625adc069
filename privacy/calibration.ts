import { PrivacyError } from '../errors.ts';
import type { EpsilonStatement, PrivacyAccountant } from './accountant.ts';
import { ADD_OR_REMOVE, type Adjacency, gaussian, type PrivacyEvent, poissonSampled, selfComposed } from './events.ts';
import { RdpAccountant } from './rdp-accountant.ts';

/** What a run may spend, and how it samples. */
export interface CalibrationTarget {
  readonly epsilon: number;
  readonly delta: number;
  /** q = S / K */
  readonly samplingRate: number;
  /** Number of central steps T. */
  readonly rounds: number;
}

export interface Calibration {
  /** The smallest noise multiplier found; its epsilon was computed and is at most the target. */
  readonly noiseMultiplier: number;
  readonly achieved: EpsilonStatement;
}

const LARGEST = 2 ** 20;
const SMALLEST = 2 ** -10;

/**
 * The smallest noise multiplier z with which T rounds of the Poisson-sampled Gaussian mechanism satisfy (ε, δ)-DP, by bisection on the
 * accountant to a relative precision of `precision`.
 * @param roundEvent what one round costs at a given noise multiplier; by default the Poisson-sampled Gaussian mechanism
 * @throws PrivacyError when the target is malformed, or out of reach of the accountant whatever the noise
 */
export function calibrateNoiseMultiplier(
  target: CalibrationTarget,
  accountant: PrivacyAccountant = new RdpAccountant(),
  precision = 1e-4,
  roundEvent: (noiseMultiplier: number) => PrivacyEvent = (z) => poissonSampled(target.samplingRate, gaussian(z)),
  adjacency: Adjacency = ADD_OR_REMOVE,
): Calibration {
  if (!(target.epsilon > 0)) throw new PrivacyError(`calibration: epsilon must be positive, got ${target.epsilon}`);
  const at = (noiseMultiplier: number): Calibration => ({
    noiseMultiplier,
    achieved: accountant.epsilon(selfComposed(roundEvent(noiseMultiplier), target.rounds), target.delta, adjacency),
  });
  const satisfies = (candidate: Calibration): boolean => candidate.achieved.epsilon <= target.epsilon;

  let best = at(1);
  while (!satisfies(best)) {
    if (best.noiseMultiplier >= LARGEST) {
      throw new PrivacyError(
        `calibration: epsilon ${target.epsilon} at delta ${target.delta} is out of reach; even noise multiplier ${LARGEST} is accounted as ${best.achieved.epsilon.toPrecision(3)} (raise epsilon or delta)`,
      );
    }
    best = at(best.noiseMultiplier * 2);
  }
  let low = best.noiseMultiplier / 2;
  while (low >= SMALLEST) {
    const candidate = at(low);
    if (!satisfies(candidate)) break;
    best = candidate;
    low /= 2;
  }
  while (best.noiseMultiplier - low > precision * best.noiseMultiplier) {
    const candidate = at((low + best.noiseMultiplier) / 2);
    if (satisfies(candidate)) best = candidate;
    else low = candidate.noiseMultiplier;
  }
  return best;
}
