import { describe, expect, test } from '@jest/globals';
import { standardNormal } from '../../random/normal.ts';
import { secureStream } from '../../random/secure.ts';
import { namedStream } from '../../random/stream.ts';

/** Normal distribution function by its everywhere convergent series (Marsaglia 2004), independent of the library's log-erfc. */
function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x < 0 ? 0 : 1;
  let term = x;
  let sum = x;
  for (let k = 3; sum + term !== sum; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + sum * Math.exp(-0.5 * x * x) * 0.3989422804014327;
}

const COUNT = 400_000;

describe.each([
  ['a named stream', () => namedStream(0, 'normal-test')],
  ['the cryptographic stream', secureStream],
])('standardNormal from %s', (_, open) => {
  const stream = open();
  const draws = Float64Array.from({ length: COUNT }, () => standardNormal(stream)).sort();
  const moment = (power: number) => draws.reduce((sum, x) => sum + x ** power, 0) / COUNT;

  // Limits are five standard errors: sqrt((E x^2k − (E x^k)²) / n).
  test.each([
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
    [6, 15, 10_170],
  ])('moment %p is %p', (power, expected, variance) => {
    expect(Math.abs(moment(power) - expected)).toBeLessThan(5 * Math.sqrt(variance / COUNT));
  });

  test('Kolmogorov-Smirnov distance to the normal distribution', () => {
    let distance = 0;
    for (let i = 0; i < COUNT; i++) {
      const p = normalCdf(draws[i]);
      distance = Math.max(distance, p - i / COUNT, (i + 1) / COUNT - p);
    }
    // Exceeded with probability 2·exp(−2·2.2²) = 1e-4 by a right sampler.
    expect(distance).toBeLessThan(2.2 / Math.sqrt(COUNT));
  });

  test.each([1, 2, 3, 3.6541528853610088, 4])('both tails beyond %p have the right mass', (x) => {
    const mass = 1 - normalCdf(x);
    const limit = 5 * Math.sqrt(mass / COUNT);
    expect(Math.abs(draws.filter((draw) => draw > x).length / COUNT - mass)).toBeLessThan(limit);
    expect(Math.abs(draws.filter((draw) => draw < -x).length / COUNT - mass)).toBeLessThan(limit);
  });
});

test('draws are denser than 2^-40: the mantissa is not that of one 32-bit number', () => {
  const stream = namedStream(1, 'density');
  let fine = 0;
  for (let i = 0; i < 1000; i++) if (!Number.isInteger(standardNormal(stream) * 2 ** 40)) fine++;
  expect(fine).toBeGreaterThan(950);
  // Layer 255 is the only one with draws near 0; even there neighbours differ by far less than 2^-32 of its width.
  const nearZero = { uniform: () => 0, integer: () => 0, draws: [0, 0x800 | 255], int32: () => 0 };
  nearZero.int32 = () => nearZero.draws.shift() ?? 0;
  expect(standardNormal(nearZero)).toBeLessThan(2 ** -50);
});
