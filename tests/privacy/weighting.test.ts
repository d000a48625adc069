import { describe, expect, test } from '@jest/globals';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { Clipper } from '../../privacy/clipping.ts';
import { clientWeight, weightingConfig } from '../../privacy/weighting.ts';

describe('weights by number of examples', () => {
  test('without a maximum they are refused, with the reason', () => {
    expect(() => weightingConfig.parse({ kind: 'examples' })).toThrow('could move the sum by any amount');
  });

  test('a weight is in [0, 1], whatever a client claims', () => {
    const weighting = weightingConfig.parse({ kind: 'examples', maxWeight: 40 });
    expect([0, 10, 40, 1e9].map((examples) => clientWeight(weighting, examples))).toEqual([0, 0.25, 1, 1]);
    expect(clientWeight(undefined, 7)).toBe(1);
    expect(clientWeight({ kind: 'uniform' }, 7)).toBe(1);
  });

  const layout = new ParameterLayout([
    { name: 'w', shape: [3] },
    { name: 'b', shape: [2] },
  ]);
  const delta = Float32Array.from([30, -20, 10, 5, -40]);
  const grid = ExactGrid.forSum(1, 10);
  const added = (mode: 'global' | 'uniform' | 'dim', weight?: number) => {
    const sum = new Float64Array(layout.size);
    new Clipper(layout, { mode, bound: 1 }, grid).addTo(sum, delta, weight);
    return sum.map((steps) => steps / grid.perUnit);
  };

  test.each(['global', 'uniform', 'dim'] as const)(
    '%s: the weight acts after clipping, so no contribution exceeds C·w',
    (mode) => {
      const whole = added(mode);
      const part = added(mode, 0.25);
      expect(Math.hypot(...part)).toBeLessThanOrEqual(0.25);
      for (const [i, value] of part.entries()) expect(value).toBeCloseTo(whole[i] / 4, 9);
      expect(added(mode, 0)).toEqual(new Float64Array(layout.size));
    },
  );

  test.each([-0.1, 1.0001, Number.NaN])('the clipper refuses a weight of %p', (weight) => {
    expect(() => added('global', weight)).toThrow('not in [0, 1]');
  });
});
