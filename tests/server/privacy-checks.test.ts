import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';
import { fixedSizeSampled, gaussian, selfComposed } from '../../privacy/events.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { federationConfig } from '../../server/config.ts';
import { privacyProblems } from '../../server/privacy-checks.ts';
import { RunPrivacy } from '../../server/run-privacy.ts';
import { layout, POPULATION, toyConfig } from './toy-run.ts';

const problems = (federation: object, privacy: object, overSelection = 1) =>
  privacyProblems({
    federation: federationConfig.parse({ rounds: 10, expectedCohort: 20, ...federation }),
    privacy: privacyConfig.parse({ clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 1 }, ...privacy }),
    overSelection,
  }).map(({ path, message }) => `${path.join('.')}: ${message}`);

const extrapolate = [{ population: 1000, expectedCohort: 100 }];
const budget = { epsilon: 8, delta: 1e-6 };

test.each<[string, object, object, number, string]>([
  [
    'fixed-size cohorts by PLD',
    { sampling: 'fixedSize' },
    { accountant: 'pld' },
    1,
    'privacy.accountant: pld accounts Poisson cohorts',
  ],
  ['extrapolation from fixed-size cohorts', { sampling: 'fixedSize' }, { extrapolate }, 1, 'privacy.extrapolate'],
  ['half a user', { sampling: 'fixedSize', expectedCohort: 2.5 }, {}, 1, 'federation.expectedCohort'],
  ['half a user by over-selection', { sampling: 'fixedSize', expectedCohort: 5 }, {}, 1.3, 'simulation.overSelection'],
  ['cyclic cohorts without amplification', { sampling: 'cyclic' }, {}, 1, 'no Poisson sample'],
  ['shared noise on Poisson cohorts', {}, { mechanism: 'treeAggregation' }, 1, 'set sampling: cyclic'],
  [
    'shared noise on fixed-size cohorts',
    { sampling: 'fixedSize' },
    { mechanism: 'bandedMatrix', bands: 2 },
    1,
    'set sampling: cyclic',
  ],
  [
    'calibrated shared noise',
    { sampling: 'cyclic' },
    { mechanism: 'treeAggregation', noise: { calibrate: true }, budget },
    1,
    'privacy.noise.calibrate',
  ],
  [
    'the discrete Gaussian by PLD',
    {},
    { mechanism: 'discreteGaussian', accountant: 'pld' },
    1,
    'privacy.accountant: the discrete',
  ],
])('refused with the reason: %s', (_, federation, privacy, overSelection, reason) => {
  expect(problems(federation, privacy, overSelection).join('\n')).toContain(reason);
});

test.each<[string, object, object]>([
  ['Poisson and PLD', {}, { accountant: 'pld' }],
  ['fixed size and RDP', { sampling: 'fixedSize' }, { accountant: 'rdp' }],
  ['weights with a maximum', { weighting: { kind: 'examples', maxWeight: 5 } }, {}],
  ['cyclic and a tree', { sampling: 'cyclic' }, { mechanism: 'treeAggregation' }],
])('allowed: %s', (_, federation, privacy) => expect(problems(federation, privacy)).toEqual([]));

test('there is no divisor to get wrong', () => {
  expect(() => federationConfig.parse({ rounds: 1, expectedCohort: 2, divisor: 'realised' })).toThrow('divisor');
});

describe('a run with cohorts of fixed size', () => {
  const config = toyConfig({ federation: { sampling: 'fixedSize' } });
  const privacy = () => new RunPrivacy(config, layout, POPULATION);

  test('draws exactly S users anew in every round', () => {
    const run = privacy();
    const cohorts = Array.from({ length: 20 }, (_, i) => {
      const members = run.cohort(i + 1);
      run.spend(run.entry(i + 1));
      return members;
    });
    expect(new Set(cohorts.map(({ length }) => length))).toEqual(new Set([20]));
    expect(new Set(cohorts.map(String)).size).toBe(20);
  });

  test('is accounted without replacement, with the sum moving by 2·C', () => {
    const run = privacy();
    for (let round = 1; round <= 6; round++) run.spend(run.entry(round));
    const event = selfComposed(fixedSizeSampled(20, POPULATION, gaussian(0.7)), 6);
    expect(run.epsilon).toBe(new RdpAccountant().epsilon(event, 1e-6, 'replace-one-user').epsilon);
    expect(run.entry(1).adjacency).toBe('replace-one-user');
  });
});
