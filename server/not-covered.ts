import type { RoundRecord } from './records.ts';

/**
 * Which fields of a round's record are functions of what was released with noise, or of public settings: the guarantee covers them. All else
 * comes from users' raw contributions, from who took part and how long that took, or from held-out data, and was released without noise. A new
 * field must be put on one side or the other.
 */
const COVERED = {
  round: true,
  cohort: false,
  contributed: false,
  rejectedNonFinite: false,
  infeasibleTargets: false,
  trainLoss: false,
  learningRate: true,
  updateNorm: true,
  epsilon: true,
  clippingBounds: true,
  evaluation: false,
  layers: false,
  parametersSha256: true,
  canaries: false,
  faults: false,
  simulation: false,
  seconds: false,
  notCovered: true,
} as const satisfies Record<keyof RoundRecord, boolean>;

/** Without noise nothing that depends on the model is covered either. */
const OF_THE_MODEL: readonly string[] = ['updateNorm', 'clippingBounds', 'parametersSha256'];

/**
 * The record with the mark of what differential privacy does not cover: the same list in every record of a run, whatever fields it has.
 * @param noisy whether the run adds noise
 */
export function markedRecord(record: RoundRecord, noisy: boolean): RoundRecord {
  const notCovered = Object.entries(COVERED)
    .filter(([field, covered]) => !covered || (!noisy && OF_THE_MODEL.includes(field)))
    .map(([field]) => field);
  return { ...record, notCovered };
}
