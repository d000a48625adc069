import type { ScatteredLayers } from './layout.ts';
import { kernelsOf } from './vector-memory.ts';

/** Reductions over parts of a flat parameter vector. They accumulate in float64: a float32 sum loses digits after a few thousand terms. */

/**
 * Sum of squares of `values[start … end)`, in float64. No float32 squared overflows float64, so the result is finite exactly
 * when every element is. Relative error at most (end − start)·2⁻⁵³. Four accumulators hide the latency of the addition.
 */
export function sumOfSquares(values: Float32Array, start = 0, end = values.length): number {
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  let i = start;
  for (const last = end - 3; i < last; i += 4) {
    first += values[i] * values[i];
    second += values[i + 1] * values[i + 1];
    third += values[i + 2] * values[i + 2];
    fourth += values[i + 3] * values[i + 3];
  }
  for (; i < end; i++) first += values[i] * values[i];
  return first + second + (third + fourth);
}

/** Largest relative error of `quickSumOfSquares`, but for the (end − start)·2⁻⁵³ of the sum in float64. */
export const quickSquaresError = 2 ** -22;

/** Below it for each element, float32 may have lost digits of small squares. */
const smallestMean = 2 ** -120;

/**
 * Sum of squares of `values[start … end)`, finite exactly when every element is, in two thirds of the time of `sumOfSquares`: squares are rounded to float32, and two additions of
 * them, before they go on in float64. Each of the three roundings is off by 2⁻²⁴ at most, and squares too small for float32 by 2⁻¹⁵⁰ each:
 * together less than `quickSquaresError`. Where float32 could have overflowed or come to less than that, all is done in float64.
 */
export function quickSumOfSquares(values: Float32Array, start = 0, end = values.length): number {
  const kernels = kernelsOf(values);
  const from = values.byteOffset;
  const quick = kernels
    ? kernels.blockedSumOfSquares(from + 4 * start, from + 4 * end)
    : blockedSumOfSquares(values, start, end);
  const holds = quick < Number.POSITIVE_INFINITY && quick >= (end - start) * smallestMean;
  return holds ? quick : sumOfSquares(values, start, end);
}

function blockedSumOfSquares(values: Float32Array, start: number, end: number): number {
  const sums = new Float64Array(4);
  let i = start;
  for (const last = end - 15; i < last; i += 16) {
    for (let k = i; k < i + 4; k++) {
      const even = Math.fround(square(values[k]) + square(values[k + 8]));
      const odd = Math.fround(square(values[k + 4]) + square(values[k + 12]));
      sums[k - i] += Math.fround(even + odd);
    }
  }
  for (; i < end; i++) sums[0] += values[i] * values[i];
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

/** In float32. */
function square(value: number): number {
  return Math.fround(value * value);
}

/** A delta, and what each of its layers is scaled by. */
export interface ScaledLayers extends ScatteredLayers {
  readonly factors: ArrayLike<number>;
}

/** Deltas that are added in one pass over the sum. */
export const deltasPerPass = 4;

/**
 * Adds trunc(value · factor) of every value of layer `h` of the deltas to `length` elements of the sum from `at` on: scaled deltas, truncated to the integers
 * of a grid. `deltasPerPass` at a time where the kernels reach them: the sum, twice as wide as a delta, is then read and written once for all.
 */
export function addTruncated(
  sum: Float64Array,
  at: number,
  length: number,
  deltas: readonly ScaledLayers[],
  h: number,
): void {
  const kernels = kernelsOf(sum);
  const into = sum.byteOffset + 8 * at;
  const reached = kernels !== undefined && deltas.every(({ values }) => values.buffer === sum.buffer);
  const address = ({ values, starts }: ScaledLayers) => values.byteOffset + 4 * starts[h];
  let next = 0;
  for (; reached && next + deltasPerPass <= deltas.length; next += deltasPerPass) {
    const [a, b, c, d] = [deltas[next], deltas[next + 1], deltas[next + 2], deltas[next + 3]];
    kernels.addFourTruncated(
      into,
      address(a),
      address(a) + 4 * length,
      address(b),
      address(c),
      address(d),
      a.factors[h],
      b.factors[h],
      c.factors[h],
      d.factors[h],
    );
  }
  for (; next < deltas.length; next++) {
    const delta = deltas[next];
    if (reached) kernels.addTruncated(into, address(delta), address(delta) + 4 * length, delta.factors[h]);
    else addOneTruncated(sum, at, length, delta, h);
  }
}

/** Four coordinates at a time, which V8 runs in two thirds of the time. */
function addOneTruncated(
  sum: Float64Array,
  at: number,
  length: number,
  { values, starts, factors }: ScaledLayers,
  h: number,
): void {
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
}

/** L1 norm of `values[start … end)`, in float64. Relative error at most (end − start)·2⁻⁵³. */
export function sumOfMagnitudes(values: Float32Array, start = 0, end = values.length): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += Math.abs(values[i]);
  return sum;
}

/** Euclidean norm of `values[start … end)`, in float64. NaN or infinite exactly when an element is. */
export function l2Norm(values: Float32Array, start = 0, end = values.length): number {
  return Math.sqrt(sumOfSquares(values, start, end));
}
