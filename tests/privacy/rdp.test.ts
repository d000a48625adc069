import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { logErfc } from '../../privacy/log-erfc.ts';
import { rdpSampledGaussian } from '../../privacy/rdp.ts';
import { momentExcess } from '../../privacy/rdp-quadrature.ts';

describe('logErfc', () => {
  // mpmath.
  test.each([
    [-3, 0.6931361352504468],
    [-0.3, 0.28414589714140825],
    [0.5, -0.7350111298370844],
    [2, -5.364941264616638],
    [5, -27.200889545537436],
    [30, -903.9741171106439],
    [1000, -1000007.4801207219],
  ])('at %p', (x, expected) => {
    expect(Math.abs(logErfc(x) / expected - 1)).toBeLessThan(1e-15 * 8);
  });

  test('is continuous where the approximations meet', () => {
    for (const x of [-4, -0.46875, 0.46875, 4]) {
      expect(logErfc(x + 1e-12)).toBeCloseTo(logErfc(x - 1e-12), 10);
    }
  });
});

describe('RDP of the Poisson-sampled Gaussian', () => {
  // [q, z, α, RDP]: mpmath quadrature of the defining integral with 40 digits.
  const quadrature: [number, number, number, number][] = [
    [0.00295, 0.6144, 1.5, 8.07570346623533e-5],
    [0.00295, 0.6144, 2.9, 0.000195105845332019],
    [0.00295, 0.6144, 3, 0.000207279919670147],
    [0.0295, 0.03072, 1.1, 544.043955965153],
    [0.1, 0.001, 1.1, 549974.671563977],
    [1e-8, 1e-2, 1.1, 5297.37251181652],
    [1e-8, 0.07, 1.1, 0.00118759393243863],
    [1e-8, 0.1, 1.1, 3.76814287803491e-6],
    [1e-8, 100, 1.1, 5.50027500916195e-21],
    [1e-8, 100, 10.5, 5.25026250879485e-20],
    [1e-8, 100, 63, 3.15015750544231e-19],
    [1e-6, 1, 5.3, 4.55348745390128e-12],
    [1e-4, 0.3, 1.1, 2.73157240181748e-5],
    [0.01, 8, 10.9, 8.59448582411226e-6],
    [0.2, 100, 7.7, 1.54021440163929e-5],
    [0.3, 0.05, 2.5, 497.993378659457],
    [0.5, 0.5, 4.7, 8.51951621824156],
    [0.5, 1, 1.1, 0.156130475685493],
    [0.9, 2, 1.3, 0.132657333227163],
    [0.999, 1, 2.5, 1.24870482086789],
    [0.999999, 100, 1.1, 5.4999890000605e-5],
  ];
  test.each(quadrature)('q %p, z %p, order %p', (q, z, order, expected) => {
    expect(Math.abs(rdpSampledGaussian(q, z, order) / expected - 1)).toBeLessThan(1e-9);
  });

  test('q = 1 is the plain Gaussian, α/(2z²), and q = 0 costs nothing', () => {
    for (const order of [1.1, 2, 7.5, 63]) {
      expect(rdpSampledGaussian(1, 0.8, order)).toBe(order / (2 * 0.8 * 0.8));
      expect(rdpSampledGaussian(0, 0.8, order)).toBe(0);
    }
  });

  test('fractional orders join the integer ones smoothly: series against binomial sum', () => {
    for (const [q, z] of [
      [0.0295, 1],
      [0.2, 0.5],
      [0.6, 3],
      [0.001, 0.25],
    ]) {
      for (const order of [2, 3, 8]) {
        const fractional = rdpSampledGaussian(q, z, order * (1 + 1e-9));
        expect(fractional / rdpSampledGaussian(q, z, order)).toBeCloseTo(1, 6);
      }
    }
  });

  test('the signed series and the quadrature agree where both hold', () => {
    for (const [q, z, order] of [
      [0.3, 0.7, 1.7],
      [0.01, 0.5, 6.1],
      [0.8, 2, 3.3],
      [0.05, 1, 9.4],
    ]) {
      const log = rdpSampledGaussian(q, z, order) * (order - 1);
      expect(log).toBeGreaterThan(1e-4);
      expect(Math.log1p(momentExcess(q, z, order)) / log).toBeCloseTo(1, 8);
    }
  });

  test('falls with z, grows with q and with the order, from z 1e-3 to 100 and q 1e-8 to 1', () => {
    const zs = [1e-3, 0.01, 0.1, 0.5, 1, 5, 100];
    const qs = [1e-8, 1e-5, 1e-3, 0.03, 0.3, 0.7, 0.999, 1];
    const orders = [1.1, 1.9, 2, 3.7, 10.9, 63];
    const grid = zs.map((z) => qs.map((q) => orders.map((order) => rdpSampledGaussian(q, z, order))));
    for (let i = 0; i < zs.length; i++) {
      for (let j = 0; j < qs.length; j++) {
        for (let k = 0; k < orders.length; k++) {
          const value = grid[i][j][k];
          expect(value > 0 && Number.isFinite(value)).toBe(true);
          if (i > 0) expect(value).toBeLessThan(grid[i - 1][j][k]);
          if (j > 0) expect(value).toBeGreaterThan(grid[i][j - 1][k]);
          if (k > 0) expect(value).toBeGreaterThan(grid[i][j][k - 1]);
        }
      }
    }
  });

  test('parameters without meaning are refused, and none makes the series run forever', () => {
    for (const q of [-1e-9, 1.1, Number.NaN]) expect(() => rdpSampledGaussian(q, 1, 2)).toThrow(PrivacyError);
    for (const z of [0, -1, Number.NaN, 1e-200, 1e200])
      expect(() => rdpSampledGaussian(0.5, z, 2.5)).toThrow(PrivacyError);
    for (const order of [1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => rdpSampledGaussian(0.5, 1, order)).toThrow(PrivacyError);
    }
    expect(rdpSampledGaussian(0.5, 1e-100, 1.1)).toBeGreaterThan(1e190);
    expect(rdpSampledGaussian(0.5, 1e100, 1.1)).toBeLessThan(1e-190);
  });
});
