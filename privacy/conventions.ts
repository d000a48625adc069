import { PrivacyError } from '../errors.ts';

/**
 * The three ways to state the same Gaussian noise (arXiv:2310.00098 App. H.1), in units of the clipping bound C.
 * - on the sum of clipped deltas: std = C·z. z (the paper's σ_sum) is the accountant's noise multiplier
 * - on the average: std = C·σ_DP, with σ_DP = z / S
 * - on each client's delta, before the average (1/q) Σ ω_k Δ_k: std = C·σ_client, with
 *   σ_client = σ_DP·sqrt(q / Σ ω_k²). Equal weights ω_k = 1/K make that σ_DP·sqrt(qK) = σ_DP·sqrt(S) = z / sqrt(S):
 *   S independent noises of that size add up to the noise on the sum
 */
export interface NoiseConventions {
  /** z = σ_sum */
  readonly noiseMultiplier: number;
  /** σ_DP = σ_avg */
  readonly sigmaDp: number;
  readonly sigmaClient: number;
}

/** Noise in one of the conventions; exactly one key is given. */
export interface NoiseStatement {
  readonly multiplier?: number | undefined;
  readonly sigmaDp?: number | undefined;
  readonly sigmaClient?: number | undefined;
}

/**
 * Reads noise in any convention and states it in all three, for equal user weights and expected cohort S.
 * @throws PrivacyError unless exactly one convention is given and it is positive and finite
 */
export function noiseConventions(noise: NoiseStatement, expectedCohort: number): NoiseConventions {
  const given = [noise.multiplier, noise.sigmaDp, noise.sigmaClient].filter((value) => value !== undefined);
  if (given.length !== 1 || !(given[0] > 0) || !Number.isFinite(given[0])) {
    throw new PrivacyError(
      `privacy.noise needs exactly one of multiplier, sigmaDp, sigmaClient, positive and finite; got ${JSON.stringify(noise)}`,
    );
  }
  const root = Math.sqrt(expectedCohort);
  const noiseMultiplier =
    noise.multiplier ??
    (noise.sigmaDp === undefined ? (noise.sigmaClient ?? 0) * root : noise.sigmaDp * expectedCohort);
  return {
    noiseMultiplier,
    sigmaDp: noise.sigmaDp ?? noiseMultiplier / expectedCohort,
    sigmaClient: noise.sigmaClient ?? noiseMultiplier / root,
  };
}
