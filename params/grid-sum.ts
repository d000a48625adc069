import type { ScatteredLayers } from './layout.ts';
import { kernelsOf } from './vector-memory.ts';

/** A delta, and what each of its layers is scaled by. */
export interface ScaledLayers extends ScatteredLayers {
  readonly factors: ArrayLike<number>;
}

/** Adds layer `h` of scaled deltas, made integers of a grid, to `length` elements of the sum from `at` on. */
export type AddToGrid = (
  sum: Float64Array,
  at: number,
  length: number,
  deltas: readonly ScaledLayers[],
  h: number,
) => void;

/** The same of one delta. */
type AddOneToGrid = (sum: Float64Array, at: number, length: number, delta: ScaledLayers, h: number) => void;

/** Deltas that the kernels add in one pass over the sum, which is twice as wide as a delta. */
export const deltasPerPass = { truncated: 4, rounded: 8 } as const;

/** Products of at most this magnitude can be rounded by `addRounded`. */
export const mostRounded = 2 ** 22;

/** Added to a number up to `mostRounded`, in float32, it leaves no room for what stands behind the point. */
const magic = 3 * 2 ** 22;

/** Four coordinates at a time, which V8 runs in two thirds of the time. */
const addOneTruncated: AddOneToGrid = (sum, at, length, { values, starts, factors }, h) => {
  let i = starts[h];
  let into = at;
  const factor = factors[h];
  const end = i + length;
  for (const last = end - 3; i < last; i += 4, into += 4) {
    sum[into] += Math.trunc(values[i] * factor);
    sum[into + 1] += Math.trunc(values[i + 1] * factor);
    sum[into + 2] += Math.trunc(values[i + 2] * factor);
    sum[into + 3] += Math.trunc(values[i + 3] * factor);
  }
  for (; i < end; i++, into++) sum[into] += Math.trunc(values[i] * factor);
};

const addOneRounded: AddOneToGrid = (sum, at, length, { values, starts, factors }, h) => {
  const factor = Math.fround(factors[h]);
  const start = starts[h];
  for (let i = 0; i < length; i++) {
    sum[at + i] += Math.fround(Math.fround(values[start + i] * factor) + magic) - magic;
  }
};

/** Adds trunc(value · factor), the product in float64. */
export const addTruncated = adder(deltasPerPass.truncated, 'addFourTruncated', 'addTruncated', addOneTruncated);

/**
 * Adds value · factor, rounded to float32 and then to the nearest integer (halves to even), eight deltas at a time in two thirds of the time of `addTruncated`. Factors are
 * rounded to float32 first. Right for products up to `mostRounded` only.
 */
export const addRounded = adder(deltasPerPass.rounded, 'addEightRounded', 'addRounded', addOneRounded);

/**
 * Where kernels reach the vectors, `many` adds `together` of the deltas at a time, and `one` those that are left.
 * @param plain does without kernels, to the same bits
 */
function adder(
  together: number,
  many: 'addFourTruncated' | 'addEightRounded',
  one: 'addTruncated' | 'addRounded',
  plain: AddOneToGrid,
): AddToGrid {
  return (sum, at, length, deltas, h) => {
    const kernels = kernelsOf(sum, ...deltas.map(({ values }) => values));
    if (!kernels) {
      for (const delta of deltas) plain(sum, at, length, delta, h);
      return;
    }
    const into = sum.byteOffset + 8 * at;
    const starts = deltas.map(({ values, starts }) => values.byteOffset + 4 * starts[h]);
    const factors = deltas.map(({ factors }) => factors[h]);
    const end = (next: number) => starts[next] + 4 * length;
    let next = 0;
    for (; next + together <= deltas.length; next += together) {
      const some = [starts, factors].flatMap((each) => each.slice(next, next + together));
      kernels[many](into, end(next), ...some);
    }
    for (; next < deltas.length; next++) kernels[one](into, starts[next], end(next), factors[next]);
  };
}
