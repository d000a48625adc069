import { PrivacyError } from '../errors.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { log, log1p } = Math;

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
  const logDelta = log(delta);
  for (let i = 0; i < orders.length; i++) {
    const order = orders[i];
    // `improvedEpsilon` and `classicEpsilon`, with what they share computed once: a run asks after every round.
    const classic = rdp[i] - logDelta / (order - 1);
    const improved = rdp[i] + log1p(-1 / order) - (logDelta + log(order)) / (order - 1);
    if (improved < best.epsilon) best = { epsilon: improved, order, conversion: 'improved' };
    if (classic < best.epsilon) best = { epsilon: classic, order, conversion: 'classic' };
  }
  return { ...best, epsilon: Math.max(0, best.epsilon) };
}

/** A bound on δ at one ε, and the order and conversion that gave it. */
export interface ConvertedDelta {
  readonly delta: number;
  readonly order: number | null;
  readonly conversion: Conversion | null;
}

/**
 * The smallest δ over all orders and both conversions, at most 1: the conversions above, solved for δ.
 * @throws PrivacyError when epsilon is negative or the lengths differ
 */
export function rdpToDelta(rdp: ArrayLike<number>, orders: readonly number[], epsilon: number): ConvertedDelta {
  if (!(epsilon >= 0)) throw new PrivacyError(`epsilon must be 0 or more, got ${epsilon}`);
  if (rdp.length !== orders.length || orders.length === 0) {
    throw new PrivacyError(`RDP conversion: ${rdp.length} values for ${orders.length} orders`);
  }
  let best: ConvertedDelta = { delta: 1, order: null, conversion: null };
  for (let i = 0; i < orders.length; i++) {
    const order = orders[i];
    const classic = Math.exp((order - 1) * (rdp[i] - epsilon));
    const improved = Math.exp((order - 1) * (rdp[i] - epsilon + Math.log1p(-1 / order)) - Math.log(order));
    if (improved < best.delta) best = { delta: improved, order, conversion: 'improved' };
    if (classic < best.delta) best = { delta: classic, order, conversion: 'classic' };
  }
  return best;
}
