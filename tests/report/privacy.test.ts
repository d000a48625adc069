import { describe, expect, test } from '@jest/globals';
import { gaussian, nonPrivate, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { privacySection } from '../../report/privacy.ts';
import { ledgerOf, privacyRecord, settings } from './privacy-record.ts';

describe('privacySection', () => {
  test('prices the ledger, and states the noise of its first round in every convention', () => {
    expect(privacySection(privacyRecord({ ledger: ledgerOf(3, 2) }))).toMatchObject({
      guaranteed: true,
      epsilon: new RdpAccountant().epsilon(selfComposed(poissonSampled(0.01, gaussian(2)), 3), 1e-6).epsilon,
      moments: null,
      steps: 3,
      sampling: { kind: 'poisson', rate: 0.01, population: 10_000, expectedCohort: 100 },
      noise: { multiplier: 2, sigmaDp: 0.02, sigmaClient: 0.2, standardDeviationOnSum: 1 },
    });
  });

  test.each<[string, object, object]>([
    ['a cohort of fixed size', { sampling: 'fixedSize', ledger: [] }, { kind: 'fixedSize', cohort: 100 }],
    [
      'local noise: epsilon is of the busiest user',
      { privacy: settings({ noisePlacement: 'local', noise: { sigmaClient: 1 } }), ledger: [] },
      { kind: 'participation', mostParticipations: 0 },
    ],
    [
      'cyclic cohorts',
      { privacy: settings({ mechanism: 'bandedMatrix', bands: 2 }), sampling: 'cyclic', ledger: [] },
      { kind: 'cyclic', minSeparation: 100, maxParticipations: 1 },
    ],
  ])('%s is said with what the guarantee depends on', (_, changes, sampling) => {
    expect(privacySection(privacyRecord(changes))).toMatchObject({ guaranteed: true, sampling });
  });

  test.each<[string, object, RegExp]>([
    ['no mechanism', { privacy: settings({ mechanism: 'none', noise: undefined }), ledger: [] }, /mechanism is none/],
    ['a round without noise', { ledger: [ledgerEntry(1, nonPrivate('none'))] }, /steps that are not noise/],
  ])('%s: no guarantee, and why', (_, changes, reason) => {
    const section = privacySection(privacyRecord(changes));
    expect(section).toMatchObject({ guaranteed: false, reason: expect.stringMatching(reason) });
    expect(section.caveats).toEqual([expect.stringContaining('do not release them for real users')]);
  });
});
