import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { ExactGrid } from '../../params/grid.ts';
import { mostRounded } from '../../params/grid-sum.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { allocateVectors } from '../../params/vector-memory.ts';
import { Clipper, type ClippingSpec, layerBounds } from '../../privacy/clipping.ts';
import { gridUnderGaussian } from '../../privacy/delta-grid.ts';
import { standardNormal } from '../../random/normal.ts';
import { namedStream } from '../../random/stream.ts';

const layout = new ParameterLayout([
  { name: 'wqkv', shape: [16, 12] },
  { name: 'ln1', shape: [7] },
  { name: 'output', shape: [30, 3] },
]);
/** 289 coordinates of equal size and norm C are k + 0.9 steps each: rounded without room, they are k + 1 and longer than C. */
const k = 200_000;
const C = 17 * (k + 0.9) * 2 ** -23;
const COHORT = 1021;
const modes = ['global', 'uniform', 'dim'] as const;
const rounded = (spec: ClippingSpec) => gridUnderGaussian(spec, layout, COHORT, [C]);

/** Σ of squared grid integers over a part, without rounding. */
function exactSquares(sum: Float64Array, start = 0, end = sum.length): bigint {
  return sum.subarray(start, end).reduce((total, value) => total + BigInt(value) ** 2n, 0n);
}

function normals(scale: number, key: number): Float32Array {
  const stream = namedStream(0, 'delta-grid-test', key);
  return Float32Array.from({ length: layout.size }, (_, i) => scale * standardNormal(stream) * (i > 191 ? 3 : 1));
}

describe('deltas rounded to nearest', () => {
  const { step } = rounded({ mode: 'global', bound: C }).grid;
  const alike = (steps: number) => new Float32Array(layout.size).fill(steps * step);
  const deltas: [string, Float32Array][] = [
    ...Array.from({ length: 20 }, (_, i): [string, Float32Array] => [`random ${i}`, normals(10 ** (i / 2 - 6), i)]),
    // At and just above the half, where all are rounded up and nothing adds more to a norm; and clipped.
    ...[-0.5, 0.5, 0.625, 0.875, 1.5, 1e6].map((more): [string, Float32Array] => [
      `alike, k + ${more}`,
      alike(k + more),
    ]),
    ['norm within rounding of C', new Float32Array(layout.size).fill(C / Math.sqrt(layout.size))],
    ['huge', new Float32Array(layout.size).fill(-3.4e38)],
    ['one coordinate', Float32Array.from({ length: layout.size }, (_, i) => (i === 5 ? 1e20 : 0))],
    ['one coordinate of norm C', Float32Array.from({ length: layout.size }, (_, i) => (i === 200 ? C : 0))],
  ];

  test.each(deltas)('never exceed the bound, in exact arithmetic: %s', (_, delta) => {
    for (const mode of modes) {
      const { clipping, grid } = rounded({ mode, bound: C });
      expect(clipping.rounding).toBe('nearest');
      for (const weight of [1, 1 / 3, 1e-60]) {
        const sum = new Float64Array(layout.size);
        expect(new Clipper(layout, clipping, grid).addTo(sum, delta, weight)).toMatchObject({ accepted: true });
        expect(sum.every(Number.isInteger)).toBe(true);
        // 2^40 clears the fraction of C / step, so that nothing is rounded on either side.
        const holds = (part: bigint, bound: number) => part * 2n ** 80n <= BigInt(bound * grid.perUnit * 2 ** 40) ** 2n;
        expect(holds(exactSquares(sum), C)).toBe(true);
        if (mode === 'global') continue;
        const bounds = layerBounds(clipping, layout);
        for (const [h, { offset, size }] of layout.layers.entries()) {
          expect(holds(exactSquares(sum, offset, offset + size), bounds[h])).toBe(true);
        }
      }
    }
  });

  test('would exceed it without the room for rounding', () => {
    expect(step).toBe(2 ** -23);
    const delta = alike(k + 0.625);
    expect(Math.hypot(...delta)).toBeLessThan(C);
    expect(Math.hypot(...delta.map((value) => Math.round(value / step) * step))).toBeGreaterThan(C);
  });

  test('lose next to nothing: half a step per coordinate, and 2^-17 of the norm', () => {
    const delta = normals(1, 1);
    const { clipping, grid } = rounded({ mode: 'global', bound: C });
    const sum = new Float64Array(layout.size);
    new Clipper(layout, clipping, grid).addTo(sum, delta);
    const norm = Math.hypot(...delta);
    for (const [i, value] of sum.entries()) {
      expect(Math.abs(value * grid.step - (delta[i] * C) / norm)).toBeLessThan(0.6 * grid.step + C * 2 ** -17);
    }
    const reached = Math.sqrt(Number(exactSquares(sum))) * grid.step;
    expect(1 - reached / C).toBeLessThan(2 ** -17);
  });

  test('come to the same together, in one memory, as one by one on ordinary vectors', () => {
    const { delta, sum } = allocateVectors(layout.size, 11);
    const several = Array.from({ length: 11 }, (_, key) => {
      const own = delta.subarray(key * layout.size, (key + 1) * layout.size);
      own.set(normals(0.1, key));
      return { delta: own, weight: 1 - key / 20 };
    });
    several[3].delta[9] = Number.NaN;
    for (const mode of modes) {
      const { clipping, grid } = rounded({ mode, bound: C });
      const clipper = new Clipper(layout, clipping, grid);
      const one = new Float64Array(layout.size);
      const outcomes = several.map(({ delta, weight }) => clipper.addTo(one, delta.slice(), weight));
      expect(clipper.addAll(sum.fill(0), several)).toEqual(outcomes);
      expect([...sum]).toEqual([...one]);
      expect(outcomes.map(({ accepted }) => accepted).indexOf(false)).toBe(3);
    }
  });

  test('are refused on other grids, and for other norms', () => {
    const nearest = { bound: C, rounding: 'nearest' } as const;
    const { grid } = rounded({ mode: 'global', bound: C });
    for (const mode of ['l1', 'none'] as const) {
      expect(() => new Clipper(layout, { mode, ...nearest }, grid)).toThrow(PrivacyError);
    }
    for (const other of [new ExactGrid(grid.step / 2), new ExactGrid(1)]) {
      expect(() => new Clipper(layout, { mode: 'global', ...nearest }, other)).toThrow(/cannot be rounded to nearest/);
    }
    const layerBounds = [C, 2 * C, C];
    expect(() => new Clipper(layout, { mode: 'dim', ...nearest, layerBounds }, grid)).toThrow(PrivacyError);
    expect(gridUnderGaussian({ mode: 'dim', bound: C, layerBounds }, layout, COHORT, [C]).clipping).not.toHaveProperty(
      'rounding',
    );
  });
});

describe('the grid under Gaussian noise', () => {
  const roundsWith = (spec: ClippingSpec, deviations: readonly number[], model = layout) => {
    const { clipping, grid } = gridUnderGaussian(spec, model, COHORT, deviations);
    const largest = Math.max(...deviations);
    const wanted =
      clipping.rounding === 'nearest'
        ? ExactGrid.forRoundedSum(spec.bound, COHORT, largest)
        : ExactGrid.forNoisySum(spec.bound, COHORT, largest);
    expect(grid.step).toBe(wanted.step);
    expect(spec.bound * grid.perUnit <= mostRounded).toBe(clipping.rounding === 'nearest');
    expect({ ...clipping, rounding: undefined }).toEqual({ ...spec, rounding: undefined });
    return clipping.rounding === 'nearest';
  };

  test('is one for rounding with L2 clipping, and only then', () => {
    for (const mode of modes) expect(roundsWith({ mode, bound: C }, [C])).toBe(true);
    expect(roundsWith({ mode: 'dim', bound: C, layerBounds: [C / 2, C / 4, C / 2] }, [C, 3 * C])).toBe(true);
    for (const mode of ['l1', 'none'] as const) expect(roundsWith({ mode, bound: C }, [C])).toBe(false);
  });

  test('is fine where coarse steps would show beside the least noise', () => {
    expect(roundsWith({ mode: 'global', bound: C }, [C, C / 256])).toBe(true);
    expect(roundsWith({ mode: 'global', bound: C }, [C, C / 1024])).toBe(false);
  });

  test('is fine where rounding would shorten deltas by more than 2^-10', () => {
    const square = (side: number) => new ParameterLayout([{ name: 'w', shape: [side, side] }]);
    expect(roundsWith({ mode: 'global', bound: 1 }, [1], square(2 ** 13 - 8))).toBe(true);
    expect(roundsWith({ mode: 'global', bound: 1 }, [1], square(2 ** 13))).toBe(false);
    // Or those of one layer.
    expect(roundsWith({ mode: 'dim', bound: C, layerBounds: [C, C / 2 ** 13, C] }, [C])).toBe(false);
  });
});
