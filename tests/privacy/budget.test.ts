import { describe, expect, test } from '@jest/globals';
import { PrivacyBudget } from '../../privacy/budget.ts';
import { ADD_OR_REMOVE, gaussian, type PrivacyEvent, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';

const DELTA = 1e-6;
const step = poissonSampled(0.02, gaussian(1));
const pld = new PldAccountant();

/** Rounds that a budget allows, with `rounds` to come. */
function lasts(budget: PrivacyBudget, rounds: number, event: PrivacyEvent = step): number {
  for (let round = 0; round < rounds; round++) {
    const ahead = Math.min(32, rounds - round);
    if (!budget.affords(Array.from({ length: ahead }, () => event))) return round;
    budget.spend(event);
  }
  return rounds;
}

describe('PrivacyBudget', () => {
  test('allows the rounds that the accountant allows, not one more or less', () => {
    const { epsilon } = pld.epsilon(selfComposed(step, 137), DELTA);
    const budget = new PrivacyBudget({ epsilon, delta: DELTA }, pld, ADD_OR_REMOVE);
    expect(lasts(budget, 1000)).toBe(137);
    expect(budget.affords([step])).toBe(false);
  });

  test('by RDP fewer rounds', () => {
    const { epsilon } = pld.epsilon(selfComposed(step, 40), DELTA);
    const rounds = lasts(new PrivacyBudget({ epsilon, delta: DELTA }, new RdpAccountant(), ADD_OR_REMOVE), 40);
    expect(rounds).toBeLessThan(40);
    expect(new RdpAccountant().epsilon(selfComposed(step, rounds + 1), DELTA).epsilon).toBeGreaterThan(epsilon);
  });

  test('what was spent counts as it was, whatever q and the noise are now', () => {
    const { epsilon } = pld.epsilon(selfComposed(step, 60), DELTA);
    const budget = new PrivacyBudget({ epsilon, delta: DELTA }, pld, ADD_OR_REMOVE);
    // Twice as many rounds as planned were spent before, with a larger cohort: nothing is left, however small the next.
    for (let i = 0; i < 60; i++) budget.spend(poissonSampled(0.04, gaussian(1)));
    expect(budget.affords([poissonSampled(1e-6, gaussian(10))])).toBe(false);
  });

  test('rounds known to be affordable are asked about again when something else is spent', () => {
    const { epsilon } = pld.epsilon(selfComposed(step, 20), DELTA);
    const budget = new PrivacyBudget({ epsilon, delta: DELTA }, pld, ADD_OR_REMOVE);
    expect(lasts(budget, 15)).toBe(15);
    expect(budget.affords(Array.from({ length: 32 }, () => step))).toBe(true);
    budget.spend(poissonSampled(0.5, gaussian(1)));
    expect(budget.affords([step])).toBe(false);
  });
});
