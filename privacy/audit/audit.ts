import { type OneRunBound, oneRunBound } from './one-run.ts';
import { type OneShotEstimate, oneShotEstimate } from './one-shot.ts';

/** What an audit is computed from. */
export interface AuditInput {
  readonly scores: ArrayLike<number>;
  /** Per canary, whether its coin included it. */
  readonly included: ArrayLike<boolean>;
  readonly delta: number;
  readonly confidence: number;
  /** Epsilon at `delta` that is claimed; null without a guarantee. */
  readonly claimedEpsilon: number | null;
}

/** An empirical audit beside the claim. */
export interface Audit {
  readonly canaries: number;
  readonly included: number;
  readonly delta: number;
  readonly confidence: number;
  readonly claimedEpsilon: number | null;
  /** Holds with `confidence` whatever the mechanism does. */
  readonly lowerBound: OneRunBound;
  /** Closer, but right only as far as scores are normal and independent; null with too few canaries. */
  readonly estimate: OneShotEstimate | null;
  /** What contradicts the claim: the certified bound, or only the lower limit of the estimate; null when nothing does. */
  readonly contradictedBy: 'lowerBound' | 'estimate' | null;
}

/** The limit of the estimate has this part of the level: with nothing to certify it, it must seldom be wrong to count against a claim. */
const ESTIMATE_LEVEL = 1 / 10;

/** Audits a claim by the scores of canaries. */
export function audit({ scores, included, delta, confidence, claimedEpsilon }: AuditInput): Audit {
  const lowerBound = oneRunBound(scores, included, delta, confidence);
  const estimate = oneShotEstimate(scores, included, delta, 1 - (1 - confidence) * ESTIMATE_LEVEL);
  const exceeds = (epsilon: number) => claimedEpsilon !== null && epsilon > claimedEpsilon;
  return {
    canaries: scores.length,
    included: Array.from(included).filter(Boolean).length,
    delta,
    confidence,
    claimedEpsilon,
    lowerBound,
    estimate,
    contradictedBy: exceeds(lowerBound.epsilonLower)
      ? 'lowerBound'
      : exceeds(estimate?.epsilonLower ?? 0)
        ? 'estimate'
        : null,
  };
}
