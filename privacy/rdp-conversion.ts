import { PrivacyError } from '../errors.ts';

/**
 * How RDP became (ε, δ).
 * - `classic`: ε = RDP(α) + log(1/δ)/(α − 1) (Mironov 2017, Proposition 3)
 * - `improved`: ε = RDP(α) + log((α − 1)/α) − (log δ + log α)/(α − 1) (Balle et al. 2020, Theorem 21; Canonne, Kamath & Steinke 2020,
 *   Proposition 12). It is what Opacus and the paper report
 */
export type Conversion = 'classic' | 'improved';

export interface ConvertedEpsilon {
  /** Never negative; infinite when no order gives a finite bound. */
  readonly epsilon: number;
  /** The order that gave it; null when epsilon is infinite. */
  readonly order: number | null;
  readonly conversion: Conversion | null;
}

/** ε at one order by the classic conversion; may be negative. */
export function classicEpsilon(rdp: number, order: number, delta: number): number {
  return rdp - Math.log(delta) / (order - 1);
}

/** ε at one order by the improved conversion; may be negative. */
export function improvedEpsilon(rdp: number, order: number, delta: number): number {
  return rdp + Math.log1p(-1 / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
}

/**
 * The smallest ε over all orders and both conversions. Each is a valid bound, so their minimum is one.
 * @param rdp RDP(orders[i]) of the whole composition
 * @throws PrivacyError when delta is not in (0, 1) or the lengths differ
 */
export function rdpToEpsilon(rdp: ArrayLike<number>, orders: readonly number[], delta: number): ConvertedEpsilon {
  if (!(delta > 0 && delta < 1)) throw new PrivacyError(`delta must be in (0, 1), got ${delta}; set privacy.delta`);
  if (rdp.length !== orders.length || orders.length === 0) {
    throw new PrivacyError(`RDP conversion: ${rdp.length} values for ${orders.length} orders`);
  }
  let best: ConvertedEpsilon = { epsilon: Number.POSITIVE_INFINITY, order: null, conversion: null };
  for (let i = 0; i < orders.length; i++) {
    const order = orders[i];
    const improved = improvedEpsilon(rdp[i], order, delta);
    const classic = classicEpsilon(rdp[i], order, delta);
    if (improved < best.epsilon) best = { epsilon: improved, order, conversion: 'improved' };
    if (classic < best.epsilon) best = { epsilon: classic, order, conversion: 'classic' };
  }
  return { ...best, epsilon: Math.max(0, best.epsilon) };
}
