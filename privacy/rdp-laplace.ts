/** Beyond it the closed form loses digits to cancellation. */
const LARGE_SCALE = 1e4;

/**
 * RDP(α) of Laplace noise of scale b, L1 sensitivity 1 (Mironov 2017, Proposition 6):
 * log(α/(2α−1)·e^((α−1)/b) + (α−1)/(2α−1)·e^(−α/b)) / (α − 1). For large b the bound α/(2b²) of all ε = 1/b mechanisms
 * (Bun & Steinke 2016, Proposition 3.3), which it approaches.
 *
 * It holds for vectors too: spread over coordinates, a shift of L1 norm 1 costs Σ RDP(a_i), and RDP is convex in the shift and 0 at 0.
 */
export function rdpLaplace(scale: number, order: number): number {
  const zeroConcentrated = order / (2 * scale * scale);
  if (scale > LARGE_SCALE) return zeroConcentrated;
  const up = (order - 1) / scale;
  const share = order / (2 * order - 1);
  const moment =
    up > 500
      ? up + Math.log(share) + Math.log1p(((order - 1) / order) * Math.exp(-(2 * order - 1) / scale))
      : Math.log1p(share * Math.expm1(up) + (1 - share) * Math.expm1(-order / scale));
  return Math.min(moment / (order - 1), zeroConcentrated, 1 / scale);
}
