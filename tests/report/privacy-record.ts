import { privacyConfig } from '../../privacy/config.ts';
import { gaussian, poissonSampled } from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import type { PrivacyRecord } from '../../report/privacy-record.ts';

/** The settings of the record, with parts changed. */
export function settings(changes: object = {}): PrivacyRecord['privacy'] {
  return privacyConfig.parse({
    clipping: { mode: 'global', bound: 0.5 },
    noise: { multiplier: 1 },
    delta: 1e-6,
    accountant: 'rdp',
    ...changes,
  });
}

/** Ledger lines of rounds 1, 2, … as `settings` make them: q = 0.01. */
export function ledgerOf(rounds: number, z = 1): PrivacyRecord['ledger'] {
  return Array.from({ length: rounds }, (_, index) => ledgerEntry(index + 1, poissonSampled(0.01, gaussian(z))));
}

/** Three of four planned rounds of a run on 10,000 users; every part can be changed. */
export function privacyRecord(changes: Partial<PrivacyRecord> = {}): PrivacyRecord {
  return {
    privacy: settings(),
    population: 10_000,
    expectedCohort: 100,
    seedModel: false,
    ledger: ledgerOf(3),
    rounds: 4,
    ...changes,
  };
}
