import { kernelsOf } from './vector-memory.ts';

/** Reductions over parts of a flat parameter vector. They accumulate in float64: a float32 sum loses digits after a few thousand terms. */

/**
 * Sum of squares of `values[start … end)`, in float64. No float32 squared overflows float64, so the result is finite exactly
 * when every element is. Relative error at most (end − start)·2⁻⁵³. Four accumulators hide the latency of the addition.
 */
export function sumOfSquares(values: Float32Array, start = 0, end = values.length): number {
  const kernels = kernelsOf(values);
  if (kernels) return kernels.sumOfSquares(values.byteOffset + 4 * start, values.byteOffset + 4 * end);
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

/**
 * Adds trunc(delta[i] · factor) for i in [start, end) to as many elements of the sum from `at` on: a scaled delta, truncated to the integers of a
 * grid. Four coordinates at a time, which V8 runs in two thirds of the time.
 */
export function addTruncated(
  sum: Float64Array,
  at: number,
  delta: Float32Array,
  start: number,
  end: number,
  factor: number,
): void {
  const kernels = kernelsOf(sum, delta);
  if (kernels) {
    const from = delta.byteOffset;
    kernels.addTruncated(sum.byteOffset + 8 * at, from + 4 * start, from + 4 * end, factor);
    return;
  }
  let i = start;
  let into = at;
  for (const last = end - 3; i < last; i += 4, into += 4) {
    sum[into] += Math.trunc(delta[i] * factor);
    sum[into + 1] += Math.trunc(delta[i + 1] * factor);
    sum[into + 2] += Math.trunc(delta[i + 2] * factor);
    sum[into + 3] += Math.trunc(delta[i + 3] * factor);
  }
  for (; i < end; i++, into++) sum[into] += Math.trunc(delta[i] * factor);
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
