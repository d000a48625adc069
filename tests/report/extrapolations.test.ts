import { describe, expect, test } from '@jest/globals';
import { extrapolations } from '../../report/extrapolations.ts';
import { privacySection } from '../../report/privacy.ts';
import type { PrivacyRecord } from '../../report/privacy-record.ts';
import { privacyRecord, settings } from './privacy-record.ts';

const privacy = settings({ extrapolate: [{ population: 1_000_000, expectedCohort: 1000 }] });
const of = (changes: Partial<PrivacyRecord> = {}) => {
  const record = privacyRecord({ privacy, ...changes });
  return extrapolations(record, privacySection(record));
};

describe('extrapolations', () => {
  test('keep the noise on the average, the steps that were done, and delta', () => {
    expect(of()).toEqual([
      expect.objectContaining({ kind: 'extrapolation', population: 1_000_000, noiseMultiplier: 10, rounds: 3 }),
    ]);
  });

  test('are none without rounds, and none for cohorts that are not Poisson', () => {
    expect(of({ ledger: [] })).toEqual([]);
    expect(of({ ledger: [], sampling: 'fixedSize' })).toEqual([]);
    expect(of({ privacy: settings() })).toEqual([]);
  });
});
