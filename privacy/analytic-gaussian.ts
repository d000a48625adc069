import { logErfc, scaledErfc } from './log-erfc.ts';

/**
 * δ(ε) of Gaussian noise on everybody, exactly: Φ(−ε/μ + μ/2) − e^ε·Φ(−ε/μ − μ/2), with μ = sensitivity / standard deviation (Balle & Wang 2018,
 * arXiv:1805.06530, Theorem 8). T adaptive releases with noise z_t are one with μ² = Σ 1/z_t².
 * @returns both ends of an interval that covers the rounding of the elementary functions
 */
export function gaussianDelta(mu: number, epsilon: number): { readonly lower: number; readonly upper: number } {
  const near = epsilon / mu - mu / 2;
  const far = epsilon / mu + mu / 2;
  // e^ε times the density at `far` is the density at `near`: written so, nothing overflows and e^ε is not needed.
  const density = Math.exp((-near * near) / 2);
  const first = near > 0 ? (density * scaledErfc(near / Math.SQRT2)) / 2 : Math.exp(logErfc(near / Math.SQRT2)) / 2;
  const second = (density * scaledErfc(far / Math.SQRT2)) / 2;
  const rounding = (first + second) * (1e-14 + 4e-16 * near * near) + (density * 4e-16 * far) / (1 + far);
  return { lower: Math.max(0, first - second - rounding), upper: Math.min(1, Math.max(0, first - second) + rounding) };
}

/** ε(δ) of the same, by bisection to the last digits: δ(lower) ≥ δ ≥ δ(upper). */
export function gaussianEpsilon(mu: number, delta: number): { readonly lower: number; readonly upper: number } {
  // Beyond it even the first term alone is below δ: Φ(−x) ≤ e^(−x²/2)/2.
  const largest = mu * (mu / 2 + Math.sqrt(Math.max(0, -2 * Math.log(2 * delta)))) * (1 + 1e-12);
  const bisect = (holds: (epsilon: number) => boolean): [number, number] => {
    if (holds(0)) return [0, 0];
    let [low, high] = [0, largest];
    for (let i = 0; i < 200 && high - low > 1e-15 * high; i++) {
      const middle = (low + high) / 2;
      if (holds(middle)) high = middle;
      else low = middle;
    }
    return [low, high];
  };
  const [, upper] = bisect((epsilon) => gaussianDelta(mu, epsilon).upper <= delta);
  const [lower] = bisect((epsilon) => gaussianDelta(mu, epsilon).lower < delta);
  return { lower: Math.min(lower, upper), upper };
}
