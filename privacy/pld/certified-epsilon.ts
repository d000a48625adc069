import type { SampledGaussian, SampledLaplace } from '../mechanisms.ts';
import {
  composeTilted,
  type Exponents,
  type GridPart,
  LOG_OUTSIDE,
  logGridMoment,
  windowAround,
} from './composition.ts';
import { optimisticGrid, pessimisticGrid, reversedGrid } from './discretisation.ts';
import { epsilonOfLoss } from './epsilon-of-loss.ts';
import { laplaceLoss } from './laplace-loss.ts';
import { gaussianLoss, type LossSource } from './loss-cells.ts';
import { bestTilt, bestTiltAt, type LossPart, logMoment, tailEdge } from './moments.ts';

/** A mechanism that has a privacy-loss distribution here, and the number of central steps it ran for. */
export interface RepeatedMechanism {
  readonly mechanism: SampledGaussian | SampledLaplace;
  readonly count: number;
}

/** ε(δ) lies in [lower, upper]. */
export interface CertifiedEpsilon {
  readonly lower: number;
  readonly upper: number;
  /** Δ, the distance of the grid's losses. */
  readonly interval: number;
}

interface RepeatedLoss {
  readonly source: LossSource;
  readonly count: number;
}

/** Why a composition has no privacy-loss distribution here. */
export interface Refusal {
  readonly refused: string;
}

/** Beyond it e^loss comes near the end of float64. */
const LARGEST_LOSS = 600;
/** Below it float errors of the losses would show. */
const SMALLEST_LOSS = 1e-7;
const LARGEST_EPSILON = 1200;
const MOST_CELLS = 2 ** 20;
const LARGEST_WINDOW = 2 ** 18;
/** A lower end above this part of the upper one is taken as it is. */
const TIGHT = 0.98;
/** Share of δ that outcomes too unlikely to integrate may take. */
const OUTCOME_SHARE = 1e-7;

/**
 * A certified interval for ε of a composition of Poisson-sampled Gaussian and Laplace mechanisms, adding or removing one user: the larger of both directions,
 * pessimistic (connect the dots) and optimistic (privacy buckets).
 * @param interval Δ; by default 1e-4, or finer where ε would otherwise be off by more than 1e-4 of itself
 */
export function certifiedEpsilon(
  parts: readonly RepeatedMechanism[],
  delta: number,
  interval: number | null,
): CertifiedEpsilon | Refusal {
  const steps = parts.reduce((sum, { count }) => sum + count, 0);
  const unaccounted = (delta * OUTCOME_SHARE) / steps;
  const ranges = parts.map(({ mechanism, count }): RepeatedLoss => {
    const source = mechanism.kind === 'gaussian' ? gaussianLoss(mechanism, unaccounted) : laplaceLoss(mechanism);
    return { source, count };
  });
  const span = Math.max(...ranges.map(({ source }) => source.span));
  if (!(span >= SMALLEST_LOSS)) {
    return { refused: `one step's privacy loss spans only ${span.toPrecision(3)}, too little for a grid` };
  }
  if (!(span <= LARGEST_LOSS)) {
    return {
      refused: `one step's privacy loss spans ${span.toPrecision(3)}, beyond the ${LARGEST_LOSS} that a privacy-loss distribution is computed for`,
    };
  }
  const rough = ranges.map(({ source, count }): LossPart => ({ ...source.rough(), count }));
  const directions = [rough, rough.map(reversedPart)].map((part) => planOf(part, delta));
  if (directions[0].epsilon > LARGEST_EPSILON) {
    return {
      refused: `epsilon is about ${directions[0].epsilon.toPrecision(2)}, beyond the ${LARGEST_EPSILON} that a privacy-loss distribution is computed for`,
    };
  }
  const widest = Math.max(...directions.map(({ high, low }) => high - low));
  const [{ epsilon, lambda }] = directions;
  // Connect the dots widens each step's variance by Δ²/6 at most on average, hence ε by T·(λ + 1)·Δ²/12.
  const fine = Math.sqrt((12e-4 * epsilon) / (steps * (lambda + 1)));
  const points = fine < (2 * widest) / LARGEST_WINDOW ? 2 * LARGEST_WINDOW : LARGEST_WINDOW;
  const grid = interval ?? Math.max(Math.min(1e-4, fine), span / MOST_CELLS, (1.02 * widest) / points);
  if (interval !== null && (span / grid > 4 * MOST_CELLS || widest / grid > 8 * LARGEST_WINDOW)) {
    return { refused: `an interval of ${interval} needs more than ${4 * MOST_CELLS} grid points; use a wider one` };
  }
  const cells = ranges.map(({ source }) => source.cells(grid));
  const upperParts = cells.map((cell, k) => ({ grid: pessimisticGrid(cell), count: ranges[k].count }));
  const lowerParts = cells.map((cell, k) => ({ grid: optimisticGrid(cell), count: ranges[k].count }));
  const share = 2 * unaccounted * steps;
  const bound = (side: 'upper' | 'lower', gridParts: readonly GridPart[], plan: Plan, shift = 0): number => {
    const window = windowAround(gridParts, grid, plan);
    // Nothing on the grid (all merged and dropped), or tails too long for it: only the trivial bound.
    if (!(window.size <= 16 * LARGEST_WINDOW)) return side === 'upper' ? Number.POSITIVE_INFINITY : 0;
    return epsilonOfLoss(composeTilted(gridParts, grid, window), window, grid, delta, steps, side, share, shift);
  };
  // Where most outcomes lie within one cell, merging up to its edge takes all the others to balance them: there a grid point is put at the loss
  // that they have together. Privacy buckets (losses rounded down) are the other way out.
  const alignedLower = (): number => {
    const offsets = ranges.map(({ source }) => source.bulkLoss(grid));
    const shift = offsets.reduce((sum, offset, k) => sum + offset * ranges[k].count, 0);
    const aligned = ranges.map(({ source }, k) => source.cells(grid, offsets[k]));
    const parts = aligned.map((cell, k) => ({ grid: optimisticGrid(cell), count: ranges[k].count }));
    const merged = bound('lower', parts, directions[0], shift);
    if (merged > TIGHT * removing) return merged;
    const rounded = aligned.map(({ first, mass }, k) => ({ grid: { first, mass }, count: ranges[k].count }));
    return Math.max(merged, bound('lower', rounded, directions[0], shift));
  };
  const reversed = (part: GridPart): GridPart => ({ grid: reversedGrid(part.grid, grid), count: part.count });
  const removing = chernoffOr(
    bound('upper', upperParts, directions[0]),
    upperParts,
    directions[0],
    grid,
    delta - share,
  );
  const merged = bound('lower', lowerParts, directions[0]);
  const lower = merged > TIGHT * removing ? merged : Math.max(merged, alignedLower());
  const adding = upperParts.map(reversed);
  // Mostly Chernoff's bound shows at once that adding a user costs less than removing one.
  const tilts = [bestTiltAt(rough.map(reversedPart), removing), directions[1].lambda].map((tilt) =>
    Math.min(tilt, 1 / grid),
  );
  const quick = Math.min(...tilts.map((tilt) => chernoff(adding, tilt, grid, delta - share)));
  if (quick <= removing) return { upper: removing, lower, interval: grid };
  return {
    upper: Math.max(
      removing,
      chernoffOr(bound('upper', adding, directions[1]), adding, directions[1], grid, delta - share),
    ),
    lower: Math.max(lower, bound('lower', lowerParts.map(reversed), directions[1])),
    interval: grid,
  };
}

/** Chernoff's bound on ε of a pessimistic composition, at any λ > 0, with room for rounding. */
function chernoff(parts: readonly GridPart[], lambda: number, interval: number, delta: number): number {
  let moment = 0;
  for (const { grid, count } of parts) {
    moment += count * (logGridMoment(grid.mass, grid.first, lambda * interval) + 1e-11);
  }
  return (moment - Math.log(delta)) / lambda;
}

/** The window's bound, or Chernoff's where the distribution did not fit into its window. */
function chernoffOr(epsilon: number, parts: readonly GridPart[], plan: Plan, interval: number, delta: number): number {
  if (Number.isFinite(epsilon)) return epsilon;
  return chernoff(parts, Math.min(plan.lambda, 1 / interval), interval, delta);
}

function reversedPart({ losses, mass, count }: LossPart): LossPart {
  return { losses: losses.map((loss) => -loss), mass: mass.map((p, k) => p * Math.exp(-losses[k])), count };
}

/** Where a direction's window lies. */
interface Plan extends Exponents {
  /** The Chernoff bound on ε, about the tilted mean. */
  readonly epsilon: number;
  readonly low: number;
  readonly high: number;
}

function planOf(parts: readonly LossPart[], delta: number): Plan {
  const lambda = moderateTilt(parts, bestTilt(parts, -Math.log(delta)), delta);
  const below = tailEdge(parts, lambda, -1, LOG_OUTSIDE);
  const above = tailEdge(parts, lambda, 1, LOG_OUTSIDE);
  const epsilon = (logMoment(parts, lambda).value - Math.log(delta)) / lambda;
  return { lambda, epsilon, low: below.edge, high: above.edge, thetaLow: below.theta, thetaHigh: above.theta };
}

/** Chernoff's bound on δ may be e^3 times the best one. */
const TILT_ALLOWANCE = 3;

/**
 * Where losses are bounded and ε is close to the bound, the best λ goes to infinity and leaves nothing but the largest loss. A much smaller λ is nearly as good
 * there, and leaves a distribution to compute with.
 */
function moderateTilt(parts: readonly LossPart[], best: number, delta: number): number {
  const largest = parts.reduce((sum, { losses, count }) => sum + count * losses.reduce((a, b) => Math.max(a, b)), 0);
  if ((logMoment(parts, best).value - Math.log(delta)) / best < 0.99 * largest) return best;
  const at = (lambda: number): number => logMoment(parts, lambda).value - lambda * largest;
  const allowed = at(best) + TILT_ALLOWANCE;
  let lambda = best;
  while (lambda * largest > 4 && at(lambda / 2) <= allowed) lambda /= 2;
  return lambda;
}
