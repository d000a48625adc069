import { describe, expect, test } from '@jest/globals';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { resolvePrivacy } from '../../privacy/resolve.ts';
import { guaranteeCaveats } from '../../report/privacy-caveats.ts';
import type { PrivacyRecord } from '../../report/privacy-record.ts';
import { ledgerOf, privacyRecord, settings } from './privacy-record.ts';

function caveats(changes: Partial<PrivacyRecord> = {}, figures: object = {}): string[] {
  const record = privacyRecord(changes);
  const resolved = resolvePrivacy(record.privacy, record);
  const shown = { multiplier: resolved.noiseMultiplier ?? 0, rate: resolved.samplingRate };
  return guaranteeCaveats(record, resolved, { epsilon: 1, uniform: true, shown, ...figures });
}

describe('guaranteeCaveats', () => {
  test('of a plain run: who is trusted, where noise and weights came from, what is not accounted', () => {
    expect(caveats()).toEqual([
      expect.stringMatching(/^Noise and cohorts are drawn from the seed/),
      expect.stringMatching(/^Noise is added centrally: the server and its workers are trusted/),
      'Training started from random weights; no other data entered it.',
      expect.stringMatching(/^Hyper-parameter tuning is not accounted/),
      expect.stringMatching(/^Figures marked as not covered/),
    ]);
  });

  test.each<[string, Partial<PrivacyRecord>, object, string]>([
    ['rounds that differ', {}, { uniform: false }, 'epsilon accounts each as it was'],
    [
      'a ledger against the configuration',
      {},
      { shown: { multiplier: 0.5, rate: 0.01 } },
      'The ledger (z = 0.5, q = 0.01) disagrees with config.yaml (z = 1, q = 0.01): epsilon follows the ledger.',
    ],
    [
      'rounds that ran twice',
      { ledger: [...ledgerOf(3), ledgerEntry(3, ledgerOf(1)[0].event)] },
      {},
      '1 central steps ran again after an interruption',
    ],
    ['a large epsilon', {}, { epsilon: 10.5 }, 'An epsilon above 10 is a weak formal guarantee'],
    ['a large delta', { privacy: settings({ delta: 1e-3 }) }, {}, 'Privacy.delta 0.001 exceeds 1 / population'],
    ['shares of noise', { privacy: settings({ noisePlacement: 'shares' }) }, {}, 'Clients add shares of the noise'],
    ['noise for release', { privacy: settings({ noiseSource: 'cryptographic' }) }, {}, 'nobody can repeat the run'],
    ['a file of weights', { startedFromFile: true, seedModel: true }, {}, 'the weights of an ONNX file'],
    ['a seed model', { seedModel: true }, {}, 'The seed model was trained on public examples'],
    [
      'weights by examples',
      { weighting: { kind: 'examples', maxWeight: 7 } },
      {},
      'A clipped delta counts min(n, 7) / 7, n being',
    ],
    [
      'dropout under over-selection',
      { simulated: true, sampledCohort: 130 },
      { shown: { multiplier: 1, rate: 0.013 } },
      'noise, added once by the server, is not less for their absence. Over-selection is accounted: q is 130 / K, not 100 / K.',
    ],
    ['users that are no persons', { userMeaning: 'a user is a take' }, {}, 'A user is a take.'],
  ])('%s: is said', (_, changes, figures, words) => {
    expect(caveats(changes, figures).join('\n')).toContain(words);
    expect(caveats().join('\n')).not.toContain(words);
  });
});
