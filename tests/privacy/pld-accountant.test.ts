import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { composed, gaussian, laplace, nonPrivate, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { ledgerEntry } from '../../privacy/ledger.ts';
import { logErfc } from '../../privacy/log-erfc.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { present, type ReferenceRecord, records } from './reference-values.ts';

const pld = new PldAccountant();
const rdp = new RdpAccountant();
const event = (z: number, q: number, steps: number) => selfComposed(poissonSampled(q, gaussian(z)), steps);

/** Both ends of epsilon; fails when the accountant fell back. */
function interval(spent: Parameters<PldAccountant['epsilon']>[0], delta: number): [number, number] {
  const { epsilon, epsilonLower, accountant } = pld.epsilon(spent, delta);
  expect(accountant).toBe('pld');
  if (epsilonLower === null) throw new Error('no lower end');
  return [epsilonLower, epsilon];
}

/** δ(ε) of a Gaussian with noise z on everybody (Balle & Wang 2018, Theorem 8). */
function gaussianDelta(z: number, epsilon: number): number {
  const upperTail = (x: number) => 0.5 * Math.exp(logErfc(x / Math.SQRT2));
  return (
    upperTail(epsilon * z - 1 / (2 * z)) -
    Math.exp(epsilon + logErfc((epsilon * z + 1 / (2 * z)) / Math.SQRT2) - Math.LN2)
  );
}

/** [z, q, T] | { below, above } by reference, per setting where epsilon is in [0.01, 100]. */
function referenceCases(every: number) {
  const cases = new Map<string, { params: ReferenceRecord['params']; optimistic: number; pessimistic: number }>();
  for (const { mechanism, method, neighbouring, value, params } of records) {
    if (mechanism !== 'poisson_sampled_gaussian' || neighbouring !== 'ADD_OR_REMOVE_ONE') continue;
    const key = JSON.stringify(params);
    const known = cases.get(key) ?? { params, optimistic: 0, pessimistic: Number.NaN };
    if (method === 'pld_pessimistic_connect_dots') known.pessimistic = value;
    if (method === 'pld_optimistic_privacy_buckets') known.optimistic = Math.max(known.optimistic, value);
    cases.set(key, known);
  }
  const inRange = [...cases.values()].filter(({ pessimistic }) => pessimistic >= 0.01 && pessimistic <= 100);
  return inRange.filter((_, index) => index % every === 0);
}

/** All of them with DPFL_ALL_REFERENCES set, every twelfth otherwise: each takes a tenth of a second or two. */
const every = process.env.DPFL_ALL_REFERENCES ? 1 : 12;

(present ? test : test.skip)(
  'agrees with the reference privacy-loss distributions; RDP is never below',
  () => {
    const cases = referenceCases(every);
    expect(cases.length).toBeGreaterThan(20);
    const misses = cases.filter(({ params, optimistic, pessimistic }) => {
      const mechanism = event(params.noise_multiplier, params.sampling_probability, params.steps);
      const [lower, upper] = interval(mechanism, params.delta);
      const moments = rdp.epsilon(mechanism, params.delta).epsilon;
      return !(lower <= upper && upper >= optimistic && upper <= 1.005 * pessimistic && moments >= lower);
    });
    expect(misses).toEqual([]);
  },
  120_000,
);

test('never above RDP: where the interval is that wide, the bound of RDP stands, and says why', () => {
  const spent = poissonSampled(0.99, laplace(0.05));
  const statement = pld.epsilon(spent, 1e-9);
  expect(statement).toMatchObject({ accountant: 'rdp', epsilon: rdp.epsilon(spent, 1e-9).epsilon });
  expect(statement.fallback).toContain('too wide');
  // The pure epsilon of the mechanism is 1/b + log q, and nearly all of it is needed.
  expect(statement.epsilonLower).toBeGreaterThan(19.9);
  expect(statement.epsilon).toBeLessThan(20.3);
});

describe('PLD accountant', () => {
  test.each([
    [1, 1, 1e-9],
    [4, 100, 1e-6],
    [0.7, 1, 1e-12],
    [50, 10_000, 1e-5],
  ])('z %p, %p times on everybody: the interval holds the exact epsilon', (z, steps, delta) => {
    const [lower, upper] = interval(selfComposed(gaussian(z), steps), delta);
    const total = z / Math.sqrt(steps);
    expect(gaussianDelta(total, upper)).toBeLessThanOrEqual(delta);
    expect(gaussianDelta(total, lower)).toBeGreaterThanOrEqual(delta);
    expect(upper - lower).toBeLessThan(1e-3 * upper);
  });

  test('the headline of arXiv:2310.00098 is 6.298, not 7.2', () => {
    const [lower, upper] = interval(event(0.6144, 0.00295, 2034), 1e-9);
    expect(upper).toBeGreaterThan(6.298);
    expect(upper).toBeLessThan(6.2985);
    expect(lower).toBeGreaterThan(6.297);
  });

  test('one step, closed form: δ(ε) of removing a user (Mironov et al. 2019 §3; Steinke 2022)', () => {
    const [z, q, delta] = [0.8, 0.01, 1e-6];
    const [lower, upper] = interval(event(z, q, 1), delta);
    const tail = (x: number) => 0.5 * Math.exp(logErfc(x / Math.SQRT2));
    const deltaAt = (epsilon: number) => {
      const odds = Math.expm1(epsilon) + q;
      const x = z * z * Math.log(odds / q) + 0.5;
      return q * tail((x - 1) / z) - odds * tail(x / z);
    };
    expect(deltaAt(upper)).toBeLessThanOrEqual(delta);
    expect(deltaAt(lower)).toBeGreaterThanOrEqual(delta);
    expect(upper / lower).toBeLessThan(1.001);
  });

  test.each([
    ['epsilon 1e-4', 8, 1e-4, 10, 1e-6],
    ['epsilon 1e3', 0.2048, 0.0295, 2006, 1e-9],
    ['10,000 steps, delta 1e-12', 1, 0.01, 10_000, 1e-12],
    ['one step, delta 1e-12', 0.5, 0.01, 1, 1e-12],
  ])('%s: a finite interval below RDP', (_what, z, q, steps, delta) => {
    const [lower, upper] = interval(event(z, q, steps), delta);
    expect(lower).toBeGreaterThanOrEqual(0);
    expect(upper).toBeGreaterThanOrEqual(lower);
    expect(upper).toBeLessThanOrEqual(rdp.epsilon(event(z, q, steps), delta).epsilon);
  });

  test('different mechanisms compose: two halves are the whole, and two Gaussians are one', () => {
    const whole = interval(event(1, 0.01, 200), 1e-6);
    const entries = [ledgerEntry(1, event(1, 0.01, 150)), ledgerEntry(2, event(1, 0.01, 50))];
    expect(interval(entries, 1e-6)).toEqual(whole);
    const [lower, upper] = interval(composed([gaussian(3), gaussian(4)]), 1e-6);
    const exact = 1 / Math.sqrt(1 / 9 + 1 / 16);
    expect(gaussianDelta(exact, upper)).toBeLessThanOrEqual(1e-6);
    expect(gaussianDelta(exact, lower)).toBeGreaterThanOrEqual(1e-6);
    expect(upper - lower).toBeLessThan(1e-3 * upper);
  });

  test.each([
    [0.3, 1e-4, 2000, 1e-9],
    [0.3, 1e-5, 1000, 1e-9],
    [0.5, 1e-4, 2000, 1e-9],
    [0.6, 1e-4, 10_000, 1e-9],
    [1, 1e-3, 10_000, 1e-12],
  ])(
    'where nearly all outcomes have one loss the interval is narrow too: z %p, q %p, T %p, delta %p',
    (z, q, T, delta) => {
      const [lower, upper] = interval(event(z, q, T), delta);
      expect(lower).toBeLessThanOrEqual(upper);
      expect(lower).toBeGreaterThan(0.999 * upper);
      // Both ends on another grid cover the same epsilon.
      const other = new PldAccountant(7e-4).epsilon(event(z, q, T), delta);
      expect(other.epsilonLower).toBeLessThanOrEqual(upper);
      expect(other.epsilon).toBeGreaterThanOrEqual(lower);
    },
  );

  test.each([1e-6, 1e-4])('one step at rate %p and with little noise: the exact epsilon lies between the ends', (q) => {
    const z = 0.3;
    const delta = 1e-8;
    const [lower, upper] = interval(event(z, q, 1), delta);
    // Removing a user: δ(ε) = q·δ_Gauss(log(1 + (e^ε − 1)/q)), which falls with ε.
    const exact = (epsilon: number) => q * gaussianDelta(z, Math.log1p(Math.expm1(epsilon) / q));
    expect(exact(lower)).toBeGreaterThanOrEqual(delta * (1 - 1e-9));
    expect(exact(upper)).toBeLessThanOrEqual(delta * (1 + 1e-9));
  });

  test('epsilon up to 1e3 and delta down to 1e-12 without overflow, over ten thousand steps of several mechanisms', () => {
    const [low, high] = interval(event(0.9, 0.1, 10_000), 1e-12);
    expect(high).toBeGreaterThan(200);
    expect(low).toBeGreaterThan(0.999 * high);
    const mixed = composed([event(2, 0.01, 5000), event(1, 1e-3, 4000), event(3, 0.02, 1000)]);
    const [below, above] = interval(mixed, 1e-12);
    expect(below).toBeGreaterThan(0.999 * above);
    expect(above).toBeGreaterThan(
      Math.max(...[event(2, 0.01, 5000), event(3, 0.02, 1000)].map((e) => interval(e, 1e-12)[0])),
    );
    expect(above).toBeLessThan(rdp.epsilon(mixed, 1e-12).epsilon);
  });

  test('more noise, fewer steps and a larger delta never cost more than the grid’s width', () => {
    const [, base] = interval(event(1, 0.01, 500), 1e-6);
    expect(interval(event(1.1, 0.01, 500), 1e-6)[1]).toBeLessThan(base);
    expect(interval(event(1, 0.01, 400), 1e-6)[1]).toBeLessThan(base);
    expect(interval(event(1, 0.01, 500), 1e-5)[1]).toBeLessThan(base);
  });

  test('with hardly any noise the statement is that of RDP, and says why', () => {
    const statement = pld.epsilon(event(0.01, 0.0295, 2006), 1e-9);
    expect(statement).toMatchObject({ accountant: 'rdp', epsilonLower: null });
    expect(statement.epsilon).toBe(rdp.epsilon(event(0.01, 0.0295, 2006), 1e-9).epsilon);
    expect(statement.fallback).toContain('beyond');
  });

  test('what an event will have cost is told before it is spent, and spends nothing', () => {
    const step = poissonSampled(0.01, gaussian(1.1));
    const total = new PldAccountant().start();
    for (let round = 1; round <= 3; round++) {
      const before = total.epsilon(1e-6);
      const ahead = total.epsilon(1e-6, step);
      expect(total.epsilon(1e-6)).toEqual(before);
      total.add(step);
      expect(total.epsilon(1e-6)).toEqual(ahead);
      expect(ahead).toEqual(new PldAccountant().epsilon(selfComposed(step, round), 1e-6));
    }
    // Another one than was announced: nothing is left of the answer.
    total.epsilon(1e-6, step);
    const other = poissonSampled(0.02, gaussian(1.1));
    total.add(other);
    const mixed = composed([selfComposed(step, 3), other]);
    expect(total.epsilon(1e-6)).toEqual(new PldAccountant().epsilon(mixed, 1e-6));
    expect(() => total.epsilon(1e-6, { kind: 'unknown' } as never)).toThrow(PrivacyError);
  });

  test('nothing spent is 0, anything without noise is infinite, delta out of range is refused', () => {
    expect(pld.epsilon([], 1e-6)).toMatchObject({ epsilon: 0, epsilonLower: 0, accountant: 'pld' });
    expect(pld.epsilon(composed([gaussian(1), nonPrivate('test')]), 1e-6).epsilon).toBe(Number.POSITIVE_INFINITY);
    expect(() => pld.epsilon(gaussian(1), 0)).toThrow(PrivacyError);
    expect(() => pld.epsilon(poissonSampled(0.1, composed([])), 1e-6)).toThrow("'composed' under Poisson sampling");
  });
});
