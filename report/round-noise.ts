import type { PrivacyEvent } from '../privacy/events.ts';
import type { ResolvedPrivacy } from '../privacy/resolve.ts';
import { treeLevels } from '../privacy/tree-noise.ts';

/** What an entry of the ledger says about the noise of its round. */
export interface RoundNoise {
  readonly mechanism: 'gaussian' | 'discreteGaussian' | 'laplace' | 'treeAggregation' | 'bandedMatrix';
  /** q; 1 with local noise and cyclic cohorts, which nothing is gained from. */
  readonly rate: number;
  /** z, of all layers together, for one participation where rounds share noise; for laplace the scale b, in units of the clipping bound. */
  readonly multiplier: number;
  /** z of each group of layers, where groups have noise of their own. */
  readonly groups: readonly number[];
  /** With local noise: by how much the number of participations of the busiest user grew. `multiplier` is then on each client's delta. */
  readonly participations?: number;
}

/** The noise of a round; null for events that no run of dpfl writes. */
export function roundNoise(event: PrivacyEvent): RoundNoise | null {
  if (event.kind === 'poissonSampled') return noiseOf(event.event, event.samplingRate);
  if (event.kind === 'fixedSizeSampled') return noiseOf(event.event, event.cohort / event.population);
  if (event.kind === 'selfComposed') {
    const noise = noiseOf(event.event, 1);
    return noise && { ...noise, participations: event.count };
  }
  if (event.kind !== 'mechanismStep') return null;
  const { noiseMultiplier, steps, kind } = event.mechanism;
  return kind === 'treeAggregation'
    ? { mechanism: kind, rate: 1, multiplier: noiseMultiplier / Math.sqrt(treeLevels(steps)), groups: [] }
    : { mechanism: 'bandedMatrix', rate: 1, multiplier: noiseMultiplier, groups: [] };
}

function noiseOf(noise: PrivacyEvent, rate: number): RoundNoise | null {
  if (noise.kind === 'gaussian') return { mechanism: 'gaussian', rate, multiplier: noise.noiseMultiplier, groups: [] };
  if (noise.kind === 'laplace') return { mechanism: 'laplace', rate, multiplier: noise.scale, groups: [] };
  if (noise.kind === 'discreteGaussian') {
    return { mechanism: 'discreteGaussian', rate, multiplier: noise.standardDeviation / noise.sensitivity, groups: [] };
  }
  if (noise.kind !== 'composed') return null;
  const groups = noise.events.map((part) => (part.kind === 'gaussian' ? part.noiseMultiplier : Number.NaN));
  const multiplier = groups.reduce((precision, z) => precision + z ** -2, 0) ** -0.5;
  return Number.isNaN(multiplier) ? null : { mechanism: 'gaussian', rate, multiplier, groups };
}

/** Whether two rounds had the same noise, but for the rounding of its multiplier. */
export function sameNoise(
  a: Pick<RoundNoise, 'rate' | 'multiplier'>,
  b: Pick<RoundNoise, 'rate' | 'multiplier'>,
): boolean {
  return Math.abs(a.multiplier / b.multiplier - 1) < 1e-12 && a.rate === b.rate;
}

/** What the ledger should say by the configuration. */
export function plannedNoise({
  correlated,
  noisePlacement,
  noiseMultiplier,
  sigmaClient,
  samplingRate,
}: ResolvedPrivacy) {
  if (noisePlacement === 'local') return { multiplier: sigmaClient ?? 0, rate: 1 };
  if (correlated !== null) return { multiplier: noiseMultiplier ?? 0, rate: 1 };
  return { multiplier: noiseMultiplier ?? 0, rate: samplingRate };
}
