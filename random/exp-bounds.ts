/**
 * Bounds on exp(−num / den) in integer arithmetic, for decisions that must not rest on floating point: lower · 2^−bits ≤ exp(−γ) ≤
 * upper · 2^−bits. Every division is rounded outwards, so the bounds hold without assumptions; they are about 2^−bits apart.
 * @param num numerator of γ, 0 or more
 * @param den denominator of γ, positive
 * @param bits binary digits after the point
 */
export function expBounds(num: bigint, den: bigint, bits: number): { readonly lower: bigint; readonly upper: bigint } {
  // Halving the argument s times brings it below 1/2; squaring the result s times doubles its relative error each time.
  let halvings = 1;
  while (num * 2n > den << BigInt(halvings)) halvings++;
  const digits = BigInt(bits + 2 * halvings + 32);
  const one = 1n << digits;
  const scaled = den << BigInt(halvings);
  // The series of exp(−y) alternates and its terms shrink (y ≤ 1/2): consecutive partial sums enclose the limit.
  let lower = one;
  let upper = one;
  let least = one;
  let most = one;
  for (let k = 1n; ; k++) {
    least = (least * num) / (scaled * k);
    most = (most * num) / (scaled * k) + 1n;
    // The limit lies between the sums with and without this term.
    const [low, high] = k % 2n === 1n ? [lower - most, upper - least] : [lower + least, upper + most];
    if (most <= 2n) {
      lower = (low < lower ? low : lower) - 2n;
      upper = (high > upper ? high : upper) + 2n;
      break;
    }
    lower = low;
    upper = high;
  }
  for (let s = 0; s < halvings; s++) {
    lower = (lower * lower) >> digits;
    upper = ((upper * upper) >> digits) + 1n;
  }
  const drop = digits - BigInt(bits);
  return { lower: lower >> drop, upper: (upper >> drop) + 1n };
}
