import type { PrivacyAccountant } from '../privacy/accountant.ts';
import type { CohortSampling, PrivacyConfig } from '../privacy/config.ts';
import type { LedgerEntry } from '../privacy/ledger.ts';
import { resolvePrivacy } from '../privacy/resolve.ts';
import { runAccountant } from '../privacy/run-accountant.ts';
import type { Weighting } from '../privacy/weighting.ts';

/** What the privacy statement is made from. */
export interface PrivacyRecord {
  readonly privacy: PrivacyConfig;
  readonly population: number;
  readonly expectedCohort: number;
  /** What over-selection makes of it; default: the expected cohort. */
  readonly sampledCohort?: number;
  /** How cohorts are drawn; default: poisson. */
  readonly sampling?: CohortSampling;
  /** How much clients count; default: all the same. */
  readonly weighting?: Weighting | undefined;
  /** Whether sampled clients could drop out, on simulated devices. */
  readonly simulated?: boolean;
  readonly seedModel: boolean;
  /** Whether the first weights came from the user's own ONNX file. */
  readonly startedFromFile?: boolean;
  /** What a user of this data set is, where it is not a person. */
  readonly userMeaning?: string | undefined;
  readonly ledger: readonly LedgerEntry[];
  /** Planned central steps. */
  readonly rounds: number;
}

/** The accountant that the run is kept and reported by. */
export function accountantOf({ privacy, ledger, ...scale }: PrivacyRecord): PrivacyAccountant {
  const { adjacency, roundEvent } = resolvePrivacy(privacy, scale);
  const events = ledger.length > 0 ? ledger.map(({ event }) => event) : [roundEvent];
  return runAccountant(privacy.accountant, events, adjacency);
}
