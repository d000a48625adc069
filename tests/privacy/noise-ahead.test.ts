import { expect, test } from '@jest/globals';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { cryptographicNoise, IndependentNoise, type NoiseMechanism, seededNoise } from '../../privacy/noise.ts';
import { NoiseAhead } from '../../privacy/noise-ahead.ts';

const layout = new ParameterLayout([
  { name: 'a', shape: [40] },
  { name: 'b', shape: [3, 20] },
]);

function noiseOf(kind: 'gaussian' | 'discreteGaussian', secret = false): IndependentNoise {
  return new IndependentNoise(
    kind,
    layout,
    new ExactGrid(2 ** -10),
    [1, 5],
    secret ? cryptographicNoise() : seededNoise(7),
  );
}

/** As an earlier round may have left it. */
const memory = () => new Float64Array(layout.size).fill(9);

function noised(mechanism: NoiseMechanism, round: number): Float64Array {
  const sum = Float64Array.from({ length: layout.size }, (_, i) => 1000 * i - 2 ** 40);
  mechanism.addTo(sum, round);
  return sum;
}

test.each(['gaussian', 'discreteGaussian'] as const)(
  '%s noise drawn ahead gives the bits of noise drawn late',
  (kind) => {
    const mechanism = noiseOf(kind);
    const ahead = new NoiseAhead(mechanism, memory(), 3);
    expect(noised(ahead, 3)).toEqual(noised(mechanism, 3));
    expect(ahead.standardDeviation(3, 1)).toBe(5);
  },
);

test('in another round, and a second time, noise is drawn anew', () => {
  const mechanism = noiseOf('gaussian');
  const ahead = new NoiseAhead(mechanism, memory(), 3);
  expect(noised(ahead, 4)).toEqual(noised(mechanism, 4));
  expect(noised(ahead, 3)).toEqual(noised(mechanism, 3));
  const secret = new NoiseAhead(noiseOf('gaussian', true), memory(), 1);
  const [first, second] = [noised(secret, 1), noised(secret, 1)];
  expect(first).not.toEqual(second);
  expect(second.filter((value, i) => value === 1000 * i - 2 ** 40).length).toBeLessThan(5);
});
