import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import {
  composed,
  gaussian,
  nonPrivate,
  type PrivacyEvent,
  poissonSampled,
  selfComposed,
} from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { rdpSampledGaussian } from '../../privacy/rdp.ts';
import { OPACUS_ORDERS, PAPER_ORDERS, RdpAccountant } from '../../privacy/rdp-accountant.ts';

const accountant = new RdpAccountant();
const step = poissonSampled(0.01, gaussian(1));
const DELTA = 1e-6;

describe('composition', () => {
  test('a ledger, its events composed and self-composed cost the same', () => {
    const ledger = Array.from({ length: 50 }, (_, i) => ledgerEntry(i + 1, step));
    const expected = accountant.epsilon(selfComposed(step, 50), DELTA);
    expect(accountant.epsilon(ledger, DELTA)).toEqual(expected);
    expect(accountant.epsilon(composed(ledger.map(({ event }) => event)), DELTA)).toEqual(expected);
    expect(accountant.epsilon(selfComposed(selfComposed(step, 10), 5), DELTA)).toEqual(expected);
  });

  test('is RDP added up over rounds and converted by hand at the order that is reported', () => {
    const { epsilon, order, conversion } = accountant.epsilon(selfComposed(step, 300), DELTA);
    const alpha = order ?? 0;
    const rdp = 300 * rdpSampledGaussian(0.01, 1, alpha);
    expect(conversion).toBe('improved');
    expect(epsilon).toBeCloseTo(rdp + Math.log(1 - 1 / alpha) - Math.log(DELTA * alpha) / (alpha - 1), 12);
  });

  test('different mechanisms add up: two Gaussians are one with 1/z² = 1/z₁² + 1/z₂²', () => {
    const two = accountant.epsilon(composed([gaussian(3), gaussian(4)]), DELTA);
    expect(two.epsilon).toBeCloseTo(accountant.epsilon(gaussian(2.4), DELTA).epsilon, 10);
  });

  test('a running total equals the ledger after every round, and is cheap for thousands of rounds', () => {
    const total = accountant.start();
    const ledger = [];
    const began = performance.now();
    let last = 0;
    for (let round = 1; round <= 1000; round++) {
      total.add(step);
      const { epsilon } = total.epsilon(DELTA);
      expect(epsilon > last).toBe(true);
      last = epsilon;
      ledger.push(ledgerEntry(round, step));
      if (round % 500 === 0) expect(total.epsilon(DELTA)).toEqual(accountant.epsilon(ledger, DELTA));
    }
    // Pricing the mechanism anew each round would take many seconds.
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('nothing released costs nothing', () => {
    for (const nothing of [[], composed([]), selfComposed(step, 0)]) {
      expect(accountant.epsilon(nothing, DELTA)).toEqual({
        epsilon: 0,
        epsilonLower: 0,
        delta: DELTA,
        order: null,
        conversion: null,
        accountant: 'rdp',
      });
    }
  });

  test('one step without privacy makes epsilon infinite, whatever the others', () => {
    const statement = accountant.epsilon(composed([step, nonPrivate('seed model on private data')]), DELTA);
    expect(statement).toMatchObject({ epsilon: Number.POSITIVE_INFINITY, order: null, conversion: null });
  });
});

describe('monotonicity', () => {
  const epsilon = (z: number, q: number, T: number, delta = DELTA) =>
    accountant.epsilon(selfComposed(poissonSampled(q, gaussian(z)), T), delta).epsilon;

  test('more noise, fewer users per round, fewer rounds, a larger delta: a smaller epsilon', () => {
    expect(epsilon(1.1, 0.01, 100)).toBeLessThan(epsilon(1, 0.01, 100));
    expect(epsilon(1, 0.009, 100)).toBeLessThan(epsilon(1, 0.01, 100));
    expect(epsilon(1, 0.01, 99)).toBeLessThan(epsilon(1, 0.01, 100));
    expect(epsilon(1, 0.01, 100, 1e-5)).toBeLessThan(epsilon(1, 0.01, 100, 1e-6));
  });

  test('an empty Poisson cohort skips accounting: a round costs the same whoever was sampled', () => {
    // The event carries q and z only; there is nothing through which a realised cohort could lower the cost.
    expect(Object.keys(step)).toEqual(['kind', 'samplingRate', 'event']);
    expect(epsilon(1, 0.01, 101)).toBeGreaterThan(epsilon(1, 0.01, 100));
  });
});

describe('supports', () => {
  test.each<[PrivacyEvent, string]>([
    [poissonSampled(0.1, selfComposed(step, 2)), "event.event: 'selfComposed' under Poisson sampling"],
    [composed([step, poissonSampled(0.1, nonPrivate('x'))]), "event.events[1].event: 'nonPrivate' under Poisson"],
    [selfComposed(composed([poissonSampled(0.1, step)]), 3), "event.event.events[0].event: 'poissonSampled' under"],
  ])('names the part that it cannot account (%#), before anything is added', (event, path) => {
    expect(accountant.supports(event)).toMatchObject({ supported: false, event: expect.stringContaining(path) });
    const total = accountant.start();
    total.add(step);
    const before = total.epsilon(DELTA);
    expect(() => total.add(composed([step, event]))).toThrow(PrivacyError);
    expect(total.epsilon(DELTA)).toEqual(before);
  });

  test('everything else', () => {
    for (const event of [step, gaussian(1), nonPrivate('x'), composed([step, selfComposed(step, 2)])]) {
      expect(accountant.supports(event)).toEqual({ supported: true });
    }
  });
});

describe('orders', () => {
  test('those of Opacus: 1.1 to 10.9 in tenths, then 12 to 63', () => {
    expect(OPACUS_ORDERS).toHaveLength(151);
    expect([OPACUS_ORDERS[0], OPACUS_ORDERS[98], OPACUS_ORDERS[99], OPACUS_ORDERS[150]]).toEqual([1.1, 10.9, 12, 63]);
    // Whole orders must be exact, or they would take the fractional series.
    expect(OPACUS_ORDERS.filter(Number.isInteger)).toHaveLength(9 + 52);
  });

  test('fewer orders never give a smaller epsilon', () => {
    const coarse = new RdpAccountant(PAPER_ORDERS);
    for (const z of [0.2, 0.6144, 2]) {
      const event = selfComposed(poissonSampled(0.003, gaussian(z)), 2034);
      expect(coarse.epsilon(event, 1e-9).epsilon).toBeGreaterThanOrEqual(
        accountant.epsilon(event, 1e-9).epsilon - 1e-12,
      );
    }
  });
});
