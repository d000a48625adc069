import { describe, expect, test } from '@jest/globals';
import { calibrateNoiseMultiplier } from '../../privacy/calibration.ts';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { OPACUS_ORDERS, PAPER_ORDERS, RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { present, type ReferenceRecord, records } from './reference-values.ts';

const select = (method: string) =>
  records.filter(
    (record) =>
      record.mechanism === 'poisson_sampled_gaussian' &&
      record.method === method &&
      record.neighbouring === 'ADD_OR_REMOVE_ONE',
  );

const accountant = new RdpAccountant(OPACUS_ORDERS);
function epsilon(rdp: RdpAccountant, { params }: ReferenceRecord): number {
  const { noise_multiplier: z, sampling_probability: q, steps, delta } = params;
  return rdp.epsilon(selfComposed(poissonSampled(q, gaussian(z)), steps), delta).epsilon;
}

(present ? describe : describe.skip)('reference values of other accountants', () => {
  test.each([
    ['rdp_opacus_default_alphas', OPACUS_ORDERS],
    ['rdp improved_cks20 on opacus_grid_1.1..10.9,12..63', OPACUS_ORDERS],
    ['rdp improved_cks20 on paper_coarse_grid', PAPER_ORDERS],
  ])('%s: within 0.1 %% everywhere', (method, orders) => {
    const cases = select(method);
    expect(cases.length).toBeGreaterThanOrEqual(36);
    const rdp = orders === OPACUS_ORDERS ? accountant : new RdpAccountant(orders);
    const misses = cases.filter((record) => Math.abs(epsilon(rdp, record) / record.value - 1) > 1e-3);
    expect(misses).toEqual([]);
  });

  test('never below the optimistic (lower) bound of the privacy loss distribution', () => {
    const cases = select('pld_optimistic_privacy_buckets');
    expect(cases.length).toBeGreaterThan(300);
    expect(cases.filter((record) => epsilon(accountant, record) < record.value)).toEqual([]);
  });

  test('plain Gaussians are never below their exact epsilon', () => {
    const cases = records.filter((record) => record.mechanism === 'gaussian' && record.method === 'analytic_exact');
    expect(cases.length).toBeGreaterThan(0);
    for (const { params, value } of cases) {
      const bound = accountant.epsilon(selfComposed(gaussian(params.noise_multiplier), params.steps), params.delta);
      expect(bound.epsilon).toBeGreaterThanOrEqual(value);
    }
  });

  test.each([
    // A tighter accountant needs less noise than ours, never more.
    ['pld_pessimistic_connect_dots', 1, Number.POSITIVE_INFINITY],
    // The same bound in dp_accounting, with orders up to 1024 where ours end at 63.
    ['rdp_default_orders', 0.999, 1.001],
  ])('calibrated noise multipliers against %s', (method, least, most) => {
    const cases = records.filter(
      (record) => record.mechanism === 'calibrate_noise_multiplier' && record.method === method,
    );
    expect(cases).toHaveLength(6);
    for (const { params, value } of cases) {
      const { noiseMultiplier } = calibrateNoiseMultiplier({
        epsilon: params.target_epsilon,
        delta: params.delta,
        samplingRate: params.sampling_probability,
        rounds: params.steps,
      });
      expect(noiseMultiplier / value).toBeGreaterThanOrEqual(least);
      expect(noiseMultiplier / value).toBeLessThanOrEqual(most);
    }
  });
});
