import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { noiseConventions } from '../../privacy/conventions.ts';

describe('noise conventions (arXiv:2310.00098 App. H.1)', () => {
  test('the paper’s example: σ_DP 3e-6 with an expected cohort of 204 800 is z = 0.6144', () => {
    expect(noiseConventions({ sigmaDp: 3e-6 }, 204_800).noiseMultiplier).toBeCloseTo(0.6144, 12);
  });

  test.each([
    [0.6144, 204_800, 69_506_000, 0.01],
    [0.03072, 1024, 34_753, 0.01],
    [5, 1, 1, 2],
    [1.5, 50, 1000, 0.4],
  ])('z %p, S %p, K %p, C %p: all three give the same std of the released average', (z, S, K, C) => {
    const q = S / K;
    const weight = 1 / K;
    const expected = (z * C) / S;
    for (const statement of [
      { multiplier: z },
      { sigmaDp: z / S },
      // σ_client = σ_avg·sqrt(q / Σ ω²), as the paper writes it, before equal weights simplify it.
      { sigmaClient: (z / S) * Math.sqrt(q / (K * weight * weight)) },
    ]) {
      const noise = noiseConventions(statement, S);
      // Released average (1/q)·Σ ω_k Δ_k: noise on the weighted sum K·Σ ω_k Δ_k, then divided by qK.
      const fromSum = (noise.noiseMultiplier * C) / (q * K);
      const fromAverage = noise.sigmaDp * C;
      // Independent noise on each of S clients: variances add, each with weight ω/q.
      const fromClients = Math.sqrt(S * ((weight / q) * noise.sigmaClient * C) ** 2);
      for (const std of [fromSum, fromAverage, fromClients]) expect(std / expected).toBeCloseTo(1, 12);
    }
  });

  test('none, two, zero, negative and infinite are refused', () => {
    for (const noise of [
      {},
      { multiplier: 1, sigmaDp: 1 },
      { multiplier: 0 },
      { sigmaDp: -1 },
      { sigmaClient: 1 / 0 },
    ]) {
      expect(() => noiseConventions(noise, 10)).toThrow(PrivacyError);
    }
  });
});
