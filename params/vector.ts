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
