import { describe, expect, test } from '@jest/globals';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { budgetIsSpent } from '../../report/budget-spent.ts';
import { ledgerOf, privacyRecord, settings } from './privacy-record.ts';

const epsilonOf = (rounds: number) =>
  new RdpAccountant().epsilon(selfComposed(poissonSampled(0.01, gaussian(1)), rounds), 1e-6).epsilon;

describe('budgetIsSpent', () => {
  test.each([
    [2, false],
    [3, true],
  ])('a budget for three rounds, after %i of them: %p', (done, spent) => {
    // A little more than three rounds cost, far less than four: sums of rounds may round otherwise than multiples.
    const privacy = settings({ budget: { epsilon: epsilonOf(3) * (1 + 1e-9), delta: 1e-6 } });
    expect(budgetIsSpent(privacyRecord({ privacy, ledger: ledgerOf(done) }))).toBe(spent);
  });

  test('before the first round the configured one counts; without a budget nothing is ever spent', () => {
    const privacy = settings({ budget: { epsilon: epsilonOf(1) / 2, delta: 1e-6 } });
    expect(budgetIsSpent(privacyRecord({ privacy, ledger: [] }))).toBe(true);
    expect(budgetIsSpent(privacyRecord({ ledger: ledgerOf(4) }))).toBe(false);
  });

  test('with local noise the busiest user may take part once more, not as often as in the last round', () => {
    const ledger = [ledgerEntry(1, selfComposed(gaussian(4), 2), 'replace-one-user')];
    const epsilon = new RdpAccountant().epsilon(selfComposed(gaussian(4), 3), 1e-6, 'replace-one-user').epsilon;
    const noise = { noisePlacement: 'local', noise: { sigmaClient: 4 } };
    const spent = (share: number) =>
      budgetIsSpent(
        privacyRecord({ privacy: settings({ ...noise, budget: { epsilon: share * epsilon, delta: 1e-6 } }), ledger }),
      );
    expect([spent(1.001), spent(0.999)]).toEqual([false, true]);
  });
});
