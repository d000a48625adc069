import { type ExtrapolatedEpsilon, extrapolate } from '../privacy/extrapolation.ts';
import type { NoPrivacySection, PrivacySection } from './privacy.ts';
import { accountantOf, type PrivacyRecord } from './privacy-record.ts';

/**
 * Epsilon of the deployments that `privacy.extrapolate` asks about, with the run's own noise on the average, steps and delta;
 * none without a guarantee to extrapolate from.
 */
export function extrapolations(
  record: PrivacyRecord,
  section: PrivacySection | NoPrivacySection,
): readonly ExtrapolatedEpsilon[] {
  if (!section.guaranteed || section.steps === 0 || section.sampling.kind !== 'poisson') return [];
  const run = {
    noiseMultiplier: section.noise.multiplier,
    expectedCohort: record.expectedCohort,
    overSelection: (record.sampledCohort ?? record.expectedCohort) / record.expectedCohort,
    population: record.population,
    rounds: section.steps,
    delta: section.delta,
  };
  const accountant = accountantOf(record);
  return record.privacy.extrapolate.map((target) => extrapolate(run, target, accountant));
}
