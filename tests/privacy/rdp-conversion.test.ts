import { describe, expect, test } from '@jest/globals';
import { classicEpsilon, improvedEpsilon, rdpToEpsilon } from '../../privacy/rdp-conversion.ts';

describe('RDP to (ε, δ)', () => {
  test('both conversions by hand: RDP 0.5 at order 10, δ = e^-18', () => {
    const delta = Math.exp(-18);
    expect(classicEpsilon(0.5, 10, delta)).toBeCloseTo(2.5, 14);
    expect(improvedEpsilon(0.5, 10, delta)).toBeCloseTo(2.5 + Math.log(0.9) - Math.log(10) / 9, 14);
  });

  test('the improved conversion satisfies its defining equation', () => {
    // Balle et al. 2020: δ = exp((α − 1)(RDP − ε)) / α · (1 − 1/α)^(α − 1).
    for (const [rdp, order, delta] of [
      [1, 1.1, 1e-9],
      [0.2, 5, 1e-6],
      [3, 63, 1e-5],
    ]) {
      const epsilon = improvedEpsilon(rdp, order, delta);
      const back = (Math.exp((order - 1) * (rdp - epsilon)) / order) * (1 - 1 / order) ** (order - 1);
      expect(back / delta).toBeCloseTo(1, 9);
    }
  });

  test('takes the smallest over orders and says which one and which conversion', () => {
    const orders = [2, 5, 20];
    const rdp = [0.2, 0.5, 2];
    const best = rdpToEpsilon(rdp, orders, 1e-5);
    const all = orders.flatMap((order, i) => [
      classicEpsilon(rdp[i], order, 1e-5),
      improvedEpsilon(rdp[i], order, 1e-5),
    ]);
    expect(best.epsilon).toBe(Math.min(...all));
    expect(best).toMatchObject({ order: 20, conversion: 'improved' });
  });

  test('never below 0; infinite RDP gives infinite ε without an order', () => {
    expect(rdpToEpsilon([1e-9], [2], 0.9).epsilon).toBe(0);
    expect(rdpToEpsilon([Number.POSITIVE_INFINITY], [2], 1e-5)).toEqual({
      epsilon: Number.POSITIVE_INFINITY,
      order: null,
      conversion: null,
    });
  });

  test('δ outside (0, 1) and unequal lengths are refused', () => {
    for (const delta of [0, 1, -1, Number.NaN]) expect(() => rdpToEpsilon([1], [2], delta)).toThrow('privacy.delta');
    expect(() => rdpToEpsilon([1, 2], [2], 0.1)).toThrow('2 values for 1 orders');
  });
});
