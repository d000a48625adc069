import { logErfc } from '../log-erfc.ts';
import type { SampledGaussian } from '../mechanisms.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { abs, ceil, exp, expm1, floor, log, log1p, max, min, sqrt } = Math;

/**
 * The privacy loss L(x) = log(P(x)/Q(x)) of removing a user, P = (1 − q)·N(0, z²) + q·N(1, z²), Q = N(0, z²), cut into cells
 * [i·Δ + offset, (i + 1)·Δ + offset). Adding a user is the same with P and Q exchanged and the sign of the loss turned.
 */
export interface LossCells {
  /** Δ */
  readonly interval: number;
  readonly offset: number;
  /** i of the first cell; its lower edge is `first`·Δ + offset. */
  readonly first: number;
  /** P(cell) */
  readonly mass: Float64Array;
  /** P(cell) − e^a·Q(cell) ≥ 0, with a the cell's lower edge: how far the loss exceeds the edge. */
  readonly excess: Float64Array;
}

/** The loss of one mechanism, one step. */
export interface LossSource {
  /** Largest minus smallest loss of the outcomes that are integrated. */
  readonly span: number;
  cells(interval: number, offset?: number): LossCells;
  /** The loss that the most frequent outcomes have together, all within `interval` of it. */
  bulkLoss(interval: number): number;
  /** Points and masses of about the same distribution, for choosing tilt and window; nothing is certified by them. */
  rough(): { readonly losses: Float64Array; readonly mass: Float64Array };
}

const ROUGH_POINTS = 2048;

/** A number of standard deviations beyond which a normal variable has less than `mass` on one side: P(x > c) ≤ e^(−c²/2)/2. */
function tailReach(mass: number): number {
  return sqrt(-2 * log(2 * mass));
}

/** @param unaccounted P mass that may be left out at each end, where outcomes are too unlikely to integrate */
export function gaussianLoss(mechanism: SampledGaussian, unaccounted: number): LossSource {
  const { samplingRate: q, noiseMultiplier: z } = mechanism;
  const reach = tailReach(unaccounted);
  const low = -reach * z;
  const high = 1 + reach * z;
  return {
    span: privacyLoss(mechanism, high) - privacyLoss(mechanism, low),
    cells: (interval, offset = 0) => lossCells(mechanism, interval, offset, low, high),
    bulkLoss: (interval) => bulkLoss(mechanism, interval),
    rough: () => {
      const step = (high - low) / ROUGH_POINTS;
      const outcomes = Float64Array.from({ length: ROUGH_POINTS }, (_, k) => low + (k + 0.5) * step);
      const scale = step / (z * sqrt(2 * Math.PI));
      return {
        losses: outcomes.map((x) => privacyLoss(mechanism, x)),
        mass: outcomes.map((x) => scale * exp((-x * x) / (2 * z * z)) * (1 + q * expm1((2 * x - 1) / (2 * z * z)))),
      };
    },
  };
}

/** L(x), accurate also where it is tiny. */
function privacyLoss({ samplingRate: q, noiseMultiplier: z }: SampledGaussian, x: number): number {
  const u = (2 * x - 1) / (2 * z * z);
  return q === 1 ? u : log1p(q * expm1(u));
}

/** The x at which the loss is `loss`; −∞ at or below log(1 − q), which no x reaches. */
function outcomeOfLoss({ samplingRate: q, noiseMultiplier: z }: SampledGaussian, loss: number): number {
  const odds = expm1(loss) + q;
  return odds > 0 ? z * z * log(odds / q) + 0.5 : Number.NEGATIVE_INFINITY;
}

/** Gauss-Legendre nodes and weights on [−1, 1]. */
const TWO_POINTS = { nodes: [-0.5773502691896257, 0.5773502691896257], weights: [1, 1] };
export const FIVE_POINTS = {
  nodes: [-0.906179845938664, -0.5384693101056831, 0, 0.5384693101056831, 0.906179845938664],
  weights: [0.23692688505618908, 0.47862867049936647, 0.5688888888888889, 0.47862867049936647, 0.23692688505618908],
};
/** Largest change of the integrand's logarithm over a panel: errors of 2.3e-4·s⁴ and 3.9e-13·s¹⁰, below 4e-13 both. */
const SMALL_SLOPE = 5e-3;
const PANEL_SLOPE = 1;

/**
 * Both masses of every cell between the outcomes `low` and `high`, by quadrature. Everything integrated is positive, so tails of
 * 1e-100 are as accurate, relatively, as the bulk.
 */
function lossCells(mechanism: SampledGaussian, interval: number, offset: number, low: number, high: number): LossCells {
  const { samplingRate: q, noiseMultiplier: z } = mechanism;
  const first = floor((privacyLoss(mechanism, low) - offset) / interval);
  const last = floor((privacyLoss(mechanism, high) - offset) / interval);
  const mass = new Float64Array(last - first + 1);
  const excess = new Float64Array(mass.length);
  const variance = z * z;
  const density = 1 / (z * sqrt(2 * Math.PI));
  let from = low;
  for (let cell = 0; cell < mass.length; cell++) {
    const edge = expm1((first + cell) * interval + offset);
    const end = cell === mass.length - 1 ? high : outcomeOfLoss(mechanism, (first + cell + 1) * interval + offset);
    const to = min(high, max(from, end));
    const slope = ((to - from) * (max(abs(from), abs(to)) + 1)) / variance;
    const { nodes, weights } = slope <= SMALL_SLOPE ? TWO_POINTS : FIVE_POINTS;
    const panels = max(1, ceil(slope / PANEL_SLOPE));
    const half = (to - from) / (2 * panels);
    let cellMass = 0;
    let cellExcess = 0;
    for (let panel = 0; panel < panels; panel++) {
      const centre = from + (2 * panel + 1) * half;
      for (let k = 0; k < nodes.length; k++) {
        const x = centre + half * nodes[k];
        const weight = weights[k] * exp((-x * x) / (2 * variance));
        const ratio = q * expm1((2 * x - 1) / (2 * variance));
        cellMass += weight * (1 + ratio);
        cellExcess += weight * (ratio - edge);
      }
    }
    mass[cell] = cellMass * half * density;
    excess[cell] = max(0, cellExcess * half * density);
    from = to;
  }
  return { interval, offset, first, mass, excess };
}

/** log(P(B)/Q(B)) of the outcomes B whose losses are within Δ of that same number, by iteration. */
function bulkLoss(mechanism: SampledGaussian, interval: number): number {
  const { samplingRate: q, noiseMultiplier: z } = mechanism;
  const below = (x: number) => exp(logErfc(-x / (z * Math.SQRT2))) / 2;
  let loss = q === 1 ? 0 : log1p(-q);
  for (let i = 0; i < 50; i++) {
    const from = outcomeOfLoss(mechanism, loss - interval);
    const to = outcomeOfLoss(mechanism, loss + interval);
    const without = below(to) - below(from);
    const shifted = below(to - 1) - below(from - 1);
    if (!(without > 0)) return loss;
    const next = log1p(q * (shifted / without - 1));
    if (abs(next - loss) < 1e-9 * interval) return next;
    loss = next;
  }
  return loss;
}
