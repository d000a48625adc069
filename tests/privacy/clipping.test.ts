import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { Clipper, type ClippingMode, layerBounds, weightedLayerBounds } from '../../privacy/clipping.ts';
import { standardNormal } from '../../random/normal.ts';
import { namedStream } from '../../random/stream.ts';

const layout = new ParameterLayout([
  { name: 'wqkv', shape: [16, 12] },
  { name: 'ln1', shape: [7] },
  { name: 'output', shape: [30, 3] },
]);
const C = 0.3;
const grid = ExactGrid.forSum(C, 1021);

function clip(mode: ClippingMode, delta: Float32Array, bound = C) {
  const sum = new Float64Array(layout.size);
  const outcome = new Clipper(layout, { mode, bound }, grid).addTo(sum, delta);
  return { sum, outcome };
}

function randomDelta(scale: number, key: number): Float32Array {
  const stream = namedStream(0, 'clipping-test', key);
  // Layers of very different magnitude, as in the paper's Figure 5.
  return Float32Array.from(
    { length: layout.size },
    (_, i) => scale * standardNormal(stream) * (i >= 192 && i < 199 ? 30 : 1),
  );
}

/** Σ of squared grid integers over a part, without rounding. */
function exactSquares(sum: Float64Array, start = 0, end = sum.length): bigint {
  return sum.subarray(start, end).reduce((total, value) => total + BigInt(value) ** 2n, 0n);
}

describe('layer bounds (arXiv:2310.00098 Definition 3)', () => {
  test('uniform gives equal shares of C, dim shares by size; squares sum to C²', () => {
    const uniform = layerBounds({ mode: 'uniform', bound: C }, layout);
    expect([...uniform]).toEqual(Array(3).fill(C / Math.sqrt(3)));
    const dim = layerBounds({ mode: 'dim', bound: C }, layout);
    expect(dim[0] / dim[1]).toBeCloseTo(Math.sqrt(192 / 7), 12);
    for (const bounds of [uniform, dim]) {
      expect(bounds.reduce((total, bound) => total + bound * bound, 0)).toBeCloseTo(C * C, 14);
    }
  });

  test('weighted (App. H.5): doubling a weight doubles that layer’s share of C²; equal weights are dim', () => {
    expect(weightedLayerBounds(C, layout, [5, 5, 5])).toEqual(layerBounds({ mode: 'dim', bound: C }, layout));
    const bounds = weightedLayerBounds(C, layout, [2, 1, 1]);
    expect((bounds[0] / bounds[1]) ** 2).toBeCloseTo((2 * 192) / 7, 10);
    expect(Math.hypot(...bounds)).toBeCloseTo(C, 14);
    expect(() => weightedLayerBounds(C, layout, [1, 1])).toThrow(PrivacyError);
    expect(() => weightedLayerBounds(C, layout, [1, 0, 1])).toThrow(PrivacyError);
  });

  test('global leaves each layer up to C; none bounds nothing', () => {
    expect([...layerBounds({ mode: 'global', bound: C }, layout)]).toEqual([C, C, C]);
    expect(layerBounds({ mode: 'none', bound: C }, layout)[0]).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('what is added never exceeds the bound, in exact arithmetic', () => {
  // 2^20 clears the fraction of C / step, so that nothing is rounded on either side.
  const bound = BigInt(C * grid.perUnit * 2 ** 20) ** 2n;
  const nearBound = new Float32Array(layout.size).fill(C / Math.sqrt(layout.size));
  const deltas: [string, Float32Array][] = [
    ...Array.from({ length: 20 }, (_, i): [string, Float32Array] => [`random ${i}`, randomDelta(10 ** (i / 2 - 6), i)]),
    ['norm within rounding of C', nearBound],
    ['one float above', nearBound.map((x) => x * (1 + 2 ** -23))],
    ['huge', new Float32Array(layout.size).fill(-3.4e38)],
    ['one coordinate', Float32Array.from({ length: layout.size }, (_, i) => (i === 5 ? 1e20 : 0))],
  ];
  test.each(deltas)('%s', (_, delta) => {
    for (const mode of ['global', 'uniform', 'dim'] as const) {
      const { sum, outcome } = clip(mode, delta);
      expect(outcome.accepted).toBe(true);
      expect(sum.every(Number.isInteger)).toBe(true);
      expect(exactSquares(sum) * 2n ** 40n <= bound).toBe(true);
      if (mode === 'global') continue;
      const bounds = layerBounds({ mode, bound: C }, layout);
      for (const [h, { offset, size }] of layout.layers.entries()) {
        const layer = Math.sqrt(Number(exactSquares(sum, offset, offset + size))) * grid.step;
        expect(layer).toBeLessThanOrEqual(bounds[h]);
      }
    }
  });

  test.each(deltas)('L1: %s', (_, delta) => {
    const sum = new Float64Array(layout.size);
    expect(new Clipper(layout, { mode: 'l1', bound: C }, grid).addTo(sum, delta)).toMatchObject({ accepted: true });
    const magnitudes = sum.reduce((total, x) => total + BigInt(Math.abs(x)), 0n);
    expect(magnitudes * 2n ** 20n <= BigInt(C * grid.perUnit * 2 ** 20)).toBe(true);
    const norm = delta.reduce((total, x) => total + Math.abs(x), 0);
    // Truncation costs each coordinate less than a step.
    expect(Number(magnitudes) * grid.step).toBeGreaterThan(Math.min(norm, C) * (1 - 1e-9) - layout.size * grid.step);
  });

  test('and loses next to nothing: a clipped delta keeps its direction, and reaches C but for a slack of 2^-23', () => {
    const delta = randomDelta(1, 1);
    const { sum } = clip('global', delta);
    const norm = Math.sqrt(delta.reduce((total, x) => total + x * x, 0));
    for (const [i, value] of sum.entries())
      expect(value * grid.step).toBeCloseTo((delta[i] * C * (1 - 2 ** -23)) / norm, 8);
    const reached = (Math.sqrt(Number(exactSquares(sum))) * grid.step) / C;
    expect(1 - reached).toBeGreaterThan(0);
    expect(1 - reached).toBeLessThan(2 ** -22);
  });
});

describe('Clipper', () => {
  test('a delta within its bounds passes unscaled', () => {
    const delta = randomDelta(1e-4, 2);
    for (const mode of ['global', 'uniform', 'dim'] as const) {
      const { sum, outcome } = clip(mode, delta);
      expect(outcome.accepted && [...outcome.clipped]).toEqual([0, 0, 0]);
      for (const [i, value] of sum.entries()) expect(value).toBe(Math.trunc(delta[i] * grid.perUnit) + 0);
    }
  });

  test('per-layer clipping scales only the layers above their own bound', () => {
    const delta = randomDelta(1e-4, 2);
    delta.fill(1, 192, 199);
    const { sum, outcome } = clip('dim', delta);
    expect(outcome.accepted && [...outcome.clipped]).toEqual([0, 1, 0]);
    expect(sum[0]).toBe(Math.trunc(delta[0] * grid.perUnit) + 0);
    const global = clip('global', delta);
    expect(global.outcome.accepted && [...global.outcome.clipped]).toEqual([1, 1, 1]);
  });

  test('reports norms before clipping and leaves the delta as it was', () => {
    const delta = new Float32Array(layout.size);
    delta.set([3, 4], 0);
    delta.set([5, 12], 192);
    const before = delta.slice();
    const { outcome } = clip('uniform', delta);
    expect(outcome.accepted && [...outcome.norms]).toEqual([5, 13, 0]);
    expect(delta).toEqual(before);
  });

  test('adds to what is there; the sum of a cohort does not depend on order or shards', () => {
    const clipper = new Clipper(layout, { mode: 'dim', bound: C }, grid);
    const add = (sum: Float64Array, keys: number[]) => {
      for (const key of keys) clipper.addTo(sum, randomDelta(0.1, key));
      return sum;
    };
    const keys = Array.from({ length: 40 }, (_, i) => i);
    const whole = add(new Float64Array(layout.size), keys);
    const reversed = add(new Float64Array(layout.size), [...keys].reverse());
    const first = add(new Float64Array(layout.size), keys.slice(0, 13));
    const second = add(new Float64Array(layout.size), keys.slice(13));
    expect(reversed).toEqual(whole);
    expect(second.map((value, i) => value + first[i])).toEqual(whole);
  });

  test('several deltas at once come to what they come to one by one, those refused among them', () => {
    const deltas = Array.from({ length: 9 }, (_, key) => randomDelta(0.1, key));
    deltas[4][200] = Number.NaN;
    for (const mode of ['global', 'uniform', 'l1'] as const) {
      const clipper = new Clipper(layout, { mode, bound: C }, grid);
      const weighted = deltas.map((delta, i) => ({ delta, weight: i / 9 }));
      const [one, all] = [new Float64Array(layout.size), new Float64Array(layout.size)];
      const outcomes = weighted.map(({ delta, weight }) => clipper.addTo(one, delta, weight));
      expect(clipper.addAll(all, weighted)).toEqual(outcomes);
      expect(all).toEqual(one);
      expect(outcomes.map(({ accepted }) => accepted).indexOf(false)).toBe(4);
      expect(() => clipper.addAll(all, [...weighted, { delta: deltas[0], weight: 2 }])).toThrow('not in [0, 1]');
      expect(all).toEqual(one);
    }
  });

  test.each(['global', 'uniform', 'l1', 'none'] as const)(
    'with mode %s a delta whose layers stand apart is clipped as one in one piece',
    (mode) => {
      const delta = randomDelta(0.1, 7);
      const values = new Float32Array(2 * layout.size + 5).fill(Number.NaN);
      const starts = layout.layers.map(({ offset, size }) => 2 * offset + size);
      for (const [h, { offset, size }] of layout.layers.entries()) {
        values.set(delta.subarray(offset, offset + size), starts[h]);
      }
      const bound = mode === 'none' ? 100 : C;
      const sum = new Float64Array(layout.size);
      const outcome = new Clipper(layout, { mode, bound }, grid).addTo(sum, { values, starts });
      expect({ sum, outcome }).toEqual(clip(mode, delta, bound));
      // And where its layers are not those of the layout, nothing else is read.
      for (const wrong of [starts.slice(1), starts.map((start) => start + values.length)]) {
        const add = () => new Clipper(layout, { mode, bound }, grid).addTo(sum, { values, starts: wrong });
        expect(add).toThrow(/layers are not the 3 of the layout/);
      }
    },
  );

  test('wrong lengths and bounds are refused', () => {
    expect(() => clip('global', new Float32Array(3))).toThrow('the layout has 289 parameters, but delta has 3');
    expect(() => clip('global', layout.allocate(), 0)).toThrow('privacy.clipping.bound');
    expect(() => clip('global', layout.allocate(), Number.NaN)).toThrow(PrivacyError);
  });
});

describe('mistakes of others', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'NaN and infinite deltas pass through clipping unclipped: %p is rejected and the sum untouched',
    (bad) => {
      for (const mode of ['global', 'uniform', 'dim', 'none'] as const) {
        for (const position of [0, 195, layout.size - 1]) {
          const delta = randomDelta(1, 3);
          delta[position] = bad;
          const sum = new Float64Array(layout.size).fill(7);
          const outcome = new Clipper(layout, { mode, bound: C }, grid).addTo(sum, delta);
          expect(outcome).toEqual({ accepted: false });
          expect(sum.every((value) => value === 7)).toBe(true);
        }
      }
    },
  );

  test('a zero-norm delta crashes: it is accepted with scale 1 and adds nothing', () => {
    for (const mode of ['global', 'uniform', 'dim', 'none'] as const) {
      const { sum, outcome } = clip(mode, layout.allocate());
      expect(outcome.accepted && [...outcome.norms, ...outcome.clipped]).toEqual([0, 0, 0, 0, 0, 0]);
      expect(sum.every((value) => value === 0)).toBe(true);
    }
  });
});

describe('mode none (training without privacy)', () => {
  test('scales nothing, whatever the norm', () => {
    const delta = new Float32Array(layout.size).fill(0.2);
    const { sum, outcome } = clip('none', delta);
    expect(outcome.accepted && [...outcome.clipped]).toEqual([0, 0, 0]);
    expect(sum[0]).toBe(Math.trunc(delta[0] * grid.perUnit));
  });

  test('rejects a coordinate that the grid cannot carry', () => {
    const delta = new Float32Array(layout.size).fill(0.2);
    delta[200] = -0.31;
    const { sum, outcome } = clip('none', delta);
    expect(outcome).toEqual({ accepted: false });
    expect(sum.every((value) => value === 0)).toBe(true);
  });
});
