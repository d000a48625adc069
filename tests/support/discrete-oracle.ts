import type { RandomStream } from '../../random/stream.ts';

/**
 * The samplers of Canonne, Kamath & Steinke 2020 (arXiv:2004.00010, Algorithms 1 to 3) as printed, in BigInt: slow, and another method
 * than the one under test.
 */
function below(bound: bigint, stream: RandomStream): bigint {
  const words = Math.ceil(bound.toString(2).length / 32) + 1;
  const span = 1n << BigInt(32 * words);
  for (;;) {
    let value = 0n;
    for (let i = 0; i < words; i++) value = (value << 32n) | BigInt(stream.int32() >>> 0);
    if (value < span - (span % bound)) return value % bound;
  }
}

/** Algorithm 1: true with probability exp(−num / den). */
export function bernoulliExp(num: bigint, den: bigint, stream: RandomStream): boolean {
  for (let rest = num; rest > den; rest -= den) if (!bernoulliExp(den, den, stream)) return false;
  const gamma = num > den ? num % den : num;
  if (num > den && gamma === 0n) return true;
  let k = 1n;
  while (below(den * k, stream) < gamma) k++;
  return k % 2n === 1n;
}

/** Algorithm 2: discrete Laplace with scale t / s. */
export function laplaceOracle(t: bigint, s: bigint, stream: RandomStream): bigint {
  for (;;) {
    const u = below(t, stream);
    if (!bernoulliExp(u, t, stream)) continue;
    let v = 0n;
    while (bernoulliExp(1n, 1n, stream)) v++;
    const y = (u + t * v) / s;
    const negative = below(2n, stream) === 1n;
    if (negative && y === 0n) continue;
    return negative ? -y : y;
  }
}

/** Algorithm 3: discrete Gaussian with σ² = num / den. */
export function gaussianOracle(num: bigint, den: bigint, stream: RandomStream): bigint {
  let t = 1n;
  while (t * t * den <= num) t++;
  for (;;) {
    const y = laplaceOracle(t, 1n, stream);
    const distance = (y < 0n ? -y : y) * t * den - num;
    if (bernoulliExp(distance * distance, 2n * num * den * t * t, stream)) return y;
  }
}

/** Σ (observed − expected)² / expected; classes with an expectation below 10 are joined into one. */
export function chiSquare(
  observed: readonly number[],
  expected: readonly number[],
): { value: number; freedom: number } {
  let value = 0;
  let classes = 0;
  const rest = { observed: 0, expected: 0 };
  const add = (seen: number, due: number) => {
    value += (seen - due) ** 2 / due;
    classes++;
  };
  for (const [i, due] of expected.entries()) {
    if (due >= 10) add(observed[i], due);
    else {
      rest.observed += observed[i];
      rest.expected += due;
    }
  }
  if (rest.expected > 1) add(rest.observed, rest.expected);
  return { value, freedom: classes - 1 };
}
