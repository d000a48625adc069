import { isCorrelated, type PrivacyConfig } from '../privacy/config.ts';
import type { Problem } from '../privacy/mechanism-config.ts';
import type { FederationConfig } from './config.ts';

/** What privacy depends on outside its own section. */
interface PrivacySetting {
  readonly privacy: PrivacyConfig;
  readonly federation: FederationConfig;
  /** Clients per round that are sampled for every client expected. */
  readonly overSelection: number;
}

/**
 * What does not go together in sampler, mechanism and accountant: combinations whose epsilon would be wrong, or that have none, with the
 * reason. Weights and divisor cannot be wrong: weights have a maximum of 1, and there is no divisor but S.
 */
export function privacyProblems({ privacy, federation, overSelection }: PrivacySetting): Problem[] {
  const { sampling, expectedCohort } = federation;
  const { mechanism, accountant, noise } = privacy;
  const problems: Problem[] = [];
  const add = (path: string[], message: string) => problems.push({ path, message });
  if (isCorrelated(mechanism) && sampling !== 'cyclic') {
    add(
      ['federation', 'sampling'],
      `mechanism ${mechanism} is accounted for users who take part at known distances; set sampling: cyclic`,
    );
  }
  if (!isCorrelated(mechanism) && sampling === 'cyclic') {
    add(
      ['federation', 'sampling'],
      `cyclic cohorts are no Poisson sample, by which mechanism ${mechanism} is accounted; set privacy.mechanism: bandedMatrix or treeAggregation`,
    );
  }
  if (isCorrelated(mechanism) && noise?.calibrate) {
    add(['privacy', 'noise', 'calibrate'], 'noise that rounds share is not calibrated; state multiplier');
  }
  if (sampling !== 'poisson' && !Number.isInteger(expectedCohort * overSelection)) {
    const times = overSelection === 1 ? '' : ` times simulation.overSelection`;
    add(
      ['federation', 'expectedCohort'],
      `${sampling} cohorts have one size, a whole number of users, got ${expectedCohort * overSelection}${times}`,
    );
  }
  if (sampling === 'fixedSize' && accountant === 'pld') {
    add(
      ['privacy', 'accountant'],
      'pld accounts Poisson cohorts; for cohorts of fixed size, where one user is replaced by another, its epsilon would be too low; set accountant: rdp or leave it out',
    );
  }
  if (sampling === 'fixedSize' && privacy.extrapolate.length > 0) {
    add(['privacy', 'extrapolate'], 'extrapolation is for Poisson cohorts; remove extrapolate');
  }
  if (mechanism === 'discreteGaussian' && accountant === 'pld') {
    add(
      ['privacy', 'accountant'],
      'the discrete Gaussian in many dimensions has no known privacy-loss distribution; set accountant: rdp or leave it out',
    );
  }
  return problems;
}
