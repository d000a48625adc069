import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import {
  composed,
  fixedSizeSampled,
  gaussian,
  laplace,
  mechanismStep,
  nonPrivate,
  poissonSampled,
  selfComposed,
  treeAggregation,
} from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { partsOf } from '../../privacy/mechanisms.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';

const tree = treeAggregation({ noiseMultiplier: 3, steps: 16, maxParticipations: 2, minSeparation: 8 });
const DELTA = 1e-6;
const rdp = new RdpAccountant();

describe('events under an adjacency', () => {
  test('replacing a user moves a sum twice as far as removing one: the noise counts half', () => {
    const [removed] = partsOf(gaussian(4), 'add-or-remove-one-user');
    const [zeroed] = partsOf(gaussian(4), 'zero-out-one-user');
    const [replaced] = partsOf(gaussian(4), 'replace-one-user');
    expect(removed).toMatchObject({ mechanism: { samplingRate: 1, noiseMultiplier: 4 } });
    expect(zeroed).toEqual(removed);
    expect(replaced).toMatchObject({ mechanism: { samplingRate: 1, noiseMultiplier: 2 } });
    expect(rdp.epsilon(gaussian(4), DELTA, 'replace-one-user').epsilon).toBe(rdp.epsilon(gaussian(2), DELTA).epsilon);
  });

  test.each([1e-300, 1e300])('a sampled Gaussian keeps its noise where 1/z² leaves float64: z = %d', (z) => {
    const [part] = partsOf(poissonSampled(0.01, gaussian(z)), 'add-or-remove-one-user');
    expect(part).toMatchObject({ is: 'mechanism', mechanism: { samplingRate: 0.01, noiseMultiplier: z } });
  });

  test('several Gaussians on one sample are one: 1/z² adds up, and the sample is drawn once', () => {
    const layers = poissonSampled(0.01, composed([gaussian(3), selfComposed(gaussian(8), 4), gaussian(4)]));
    const one = poissonSampled(0.01, gaussian(1 / Math.sqrt(1 / 9 + 4 / 64 + 1 / 16)));
    expect(rdp.epsilon(layers, DELTA).epsilon).toBeCloseTo(rdp.epsilon(one, DELTA).epsilon, 10);
    const twoSamples = composed([poissonSampled(0.01, gaussian(3)), poissonSampled(0.01, gaussian(4))]);
    expect(rdp.epsilon(twoSamples, DELTA).epsilon).toBeLessThan(
      rdp.epsilon(poissonSampled(0.01, composed([gaussian(3), gaussian(4)])), DELTA).epsilon,
    );
  });

  test.each([
    [fixedSizeSampled(10, 100, gaussian(1)), 'add-or-remove-one-user', "event: 'fixedSizeSampled' under add-or-remove"],
    [poissonSampled(0.1, gaussian(1)), 'replace-one-user', "event: 'poissonSampled' under replace-one-user"],
    [mechanismStep(tree, 1), 'add-or-remove-one-user', "event: 'treeAggregation' under add-or-remove-one-user"],
    [
      poissonSampled(0.1, composed([laplace(1), gaussian(1)])),
      'add-or-remove-one-user',
      "event.event: 'composed' under",
    ],
  ] as const)('what has no analysis is refused by name (%#)', (event, adjacency, problem) => {
    for (const accountant of [rdp, new PldAccountant()]) {
      const nested = composed([gaussian(1), event]);
      const expected = problem.replace('event', 'event.events[1]');
      expect(accountant.supports(nested, adjacency)).toMatchObject({
        supported: false,
        event: expect.stringContaining(expected),
      });
      expect(() => accountant.epsilon(nested, DELTA, adjacency)).toThrow(PrivacyError);
      expect(() => accountant.epsilon(nested, DELTA, adjacency)).toThrow(expected);
    }
  });

  test('a fixed-size cohort of everybody, or a rate of 1, is no sampling', () => {
    expect([...partsOf(fixedSizeSampled(7, 7, gaussian(4)), 'replace-one-user')]).toEqual([
      ...partsOf(gaussian(4), 'replace-one-user'),
    ]);
    expect([...partsOf(poissonSampled(1, gaussian(4)), 'replace-one-user')]).toEqual([
      ...partsOf(gaussian(4), 'replace-one-user'),
    ]);
    expect([...partsOf(poissonSampled(0, nonPrivate('x')), 'add-or-remove-one-user')]).toHaveLength(1);
    expect([...partsOf(poissonSampled(0, gaussian(1)), 'add-or-remove-one-user')]).toHaveLength(0);
  });

  test('a ledger under two adjacencies has no epsilon', () => {
    const entries = [ledgerEntry(1, gaussian(1)), ledgerEntry(2, gaussian(1), 'replace-one-user')];
    expect(() => rdp.epsilon(entries, DELTA)).toThrow('round 2 is under replace-one-user');
  });
});

describe('steps of a correlated mechanism', () => {
  const ledger = (steps: number, instance = 0) =>
    Array.from({ length: steps }, (_, i) =>
      ledgerEntry(i + 1, mechanismStep(tree, i + 1, instance), 'zero-out-one-user'),
    );

  test('are one Gaussian, whatever their number; epsilon grows with the levels that were reached', () => {
    // 16 steps: 5 levels; two participations 8 apart share the root only.
    const whole = rdp.epsilon(ledger(16), DELTA);
    expect(whole.epsilon).toBeCloseTo(rdp.epsilon(gaussian(3 / Math.sqrt(4 * 2 + 4)), DELTA).epsilon, 10);
    expect(rdp.epsilon(ledger(1), DELTA).epsilon).toBeCloseTo(rdp.epsilon(gaussian(3), DELTA).epsilon, 10);
    expect(rdp.epsilon(ledger(8), DELTA).epsilon).toBeCloseTo(rdp.epsilon(gaussian(3 / 2), DELTA).epsilon, 10);
  });

  test('another instance composes, and a step that ran twice costs the mechanism twice', () => {
    const two = rdp.epsilon([...ledger(8), ...ledger(8, 1)], DELTA).epsilon;
    expect(two).toBeCloseTo(rdp.epsilon(selfComposed(gaussian(3 / 2), 2), DELTA).epsilon, 10);
    expect(rdp.epsilon([...ledger(8), ledger(8)[3]], DELTA).epsilon).toBeCloseTo(two, 10);
  });
});
