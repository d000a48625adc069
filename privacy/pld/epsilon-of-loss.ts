import { type ComposedLoss, LOG_OUTSIDE, type Window } from './composition.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { exp, expm1, log1p, max, min } = Math;

/**
 * Rounding in the masses of one step, relatively (quadrature 4e-13, sums, tilting), and in its losses, absolutely. Both grow with the
 * number of steps at most linearly.
 */
const MASS_ERROR = 1e-11;
const LOSS_ERROR = 1e-13;

/**
 * The smallest ε ≥ 0 with δ(ε) ≤ δ for a composed loss on a grid, moved by every error bound to the safe side.
 * δ(ε) = Σ P(loss = l)·(1 − e^(ε − l)) over l > ε, from the top: at grid points D(k−1) = (1 − e^−Δ)·Σ_{i≥k} P(i) + e^−Δ·D(k), all terms positive;
 * between them it is linear in e^ε.
 * @param side `upper`: errors added to δ(ε), an upper bound of ε for a pessimistic loss; `lower`: subtracted, a lower bound for an optimistic one
 * @param shift what all losses of the composition are above their grid points
 * @param unaccounted P mass that is not on the grid (losses of any size), over all steps
 */
export function epsilonOfLoss(
  composed: ComposedLoss,
  window: Window,
  interval: number,
  delta: number,
  steps: number,
  side: 'upper' | 'lower',
  unaccounted: number,
  shift = 0,
): number {
  const { mass, logScale, error } = composed;
  const { lambda, low, size } = window;
  const sign = side === 'upper' ? 1 : -1;
  const left = side === 'upper' ? delta - unaccounted : delta;
  if (!(left > 0)) return side === 'upper' ? Number.POSITIVE_INFINITY : 0;
  // In units of e^(logScale − λ·loss(k)) at the current point k, which the loop renews by e^λΔ per step down: no overflow.
  const shrink = exp(-lambda * interval);
  const rest = exp(-interval);
  const gain = -expm1(-interval);
  const noise = 2.01 * exp(-LOG_OUTSIDE) + error * min(size, shrink / (1 - shrink));
  const drift = LOSS_ERROR * steps;
  const margin = 1 + sign * expm1(MASS_ERROR * steps);
  let tail = 0;
  let value = 0;
  let above = 0;
  for (let k = size - 1; k >= 0; k--) {
    // One point at or below 0 is enough.
    if ((low + k + 1) * interval + shift <= 0) break;
    // `value` is the bound of δ at (low + k)·Δ; `target` is δ in the same units.
    const target = left * exp(min(700, lambda * (low + k) * interval - logScale));
    const bound = max(0, value * margin + sign * noise);
    if (bound > target) {
      if (k === size - 1) return side === 'upper' ? Number.POSITIVE_INFINITY : max(0, (low + k) * interval + shift);
      // Both ends in units of k: the point above is worth e^(−λΔ) of it.
      const next = above * shrink;
      const share = bound > next ? min(1, max(0, (bound - target) / (bound - next))) : 1;
      return max(0, (low + k) * interval + shift + log1p(share * expm1(interval)) + sign * drift);
    }
    above = bound;
    tail = (tail + mass[k]) * shrink;
    value = gain * tail + rest * value * shrink;
  }
  // Below the threshold on the whole window (down to 0): an upper bound is its lower end.
  return side === 'upper' ? max(0, low * interval + shift) : 0;
}
