import { PrivacyError } from '../errors.ts';
import type { NoiseMechanism } from './noise.ts';

/** Below this many grid steps a share's distribution would show in the sum; runs are a million times above. */
const FEWEST_STEPS = 1024;

/**
 * Scale of each client's share so that n shares add up to the noise of the whole: variance over n. Rounded up, so that the sum never has less.
 * @param clients realised cohort, known before anybody trains; 1 or more
 * @throws PrivacyError when shares would be too coarse
 */
export function shareSteps(steps: number, clients: number): number {
  const share = (steps / Math.sqrt(clients)) * (1 + 2 ** -50);
  if (share < FEWEST_STEPS) {
    throw new PrivacyError(`a noise share of ${share} grid steps is too coarse; set privacy.noisePlacement: central`);
  }
  return share;
}

/**
 * What is left for the server to add: all noise when nobody was sampled, the shares of clients whose delta was dropped, else nothing. The
 * released noise so has one and the same distribution whoever took part; a variance that followed the cohort would betray its size.
 */
export function topUp(
  whole: NoiseMechanism,
  part: (fraction: number) => NoiseMechanism,
  cohort: number,
  contributed: number,
): NoiseMechanism {
  const missing = cohort === 0 ? 1 : (cohort - contributed) / cohort;
  return {
    addTo: (sum, round) => {
      if (missing > 0) part(Math.sqrt(missing)).addTo(sum, round);
    },
    standardDeviation: (round, layer) => whole.standardDeviation(round, layer),
  };
}
