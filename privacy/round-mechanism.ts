import { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { ClippingSpec } from './clipping.ts';
import type { ResolvedPrivacy } from './config.ts';
import { composed, gaussian, type PrivacyEvent, poissonSampled } from './events.ts';
import { IndependentNoise, type NoiseMechanism, type NoiseStreams, noNoise } from './noise.ts';
import { allocateNoise } from './noise-groups.ts';
import { poissonCohortLimit } from './sampling.ts';

/** What a run does to the sum of a round, and what that costs. */
export interface RoundMechanism {
  readonly clipping: ClippingSpec;
  /** Workers and server must use the same. */
  readonly grid: ExactGrid;
  readonly noise: NoiseMechanism;
  /** What the ledger says of central step `round`. */
  event(round: number): PrivacyEvent;
}

/**
 * The mechanism that the settings describe, for a model's layers.
 * @throws PrivacyError when settings and layers do not fit each other
 */
export function roundMechanism(
  settings: ResolvedPrivacy,
  layout: ParameterLayout,
  streams: NoiseStreams,
): RoundMechanism {
  const { clipping, noiseMultiplier, standardDeviation, noiseGroups, roundEvent, samplingRate } = settings;
  if (noiseMultiplier === null || standardDeviation === null) {
    const grid = ExactGrid.forSum(clipping.bound, largestCohort(settings));
    return { clipping, grid, noise: noNoise, event: () => roundEvent };
  }
  const gridFor = (std: number) => ExactGrid.forNoisySum(clipping.bound, largestCohort(settings), std);
  if (noiseGroups === undefined) {
    const grid = gridFor(standardDeviation);
    const scales = layout.layers.map(() => standardDeviation);
    return {
      clipping,
      grid,
      noise: new IndependentNoise('gaussian', layout, grid, scales, streams),
      event: () => roundEvent,
    };
  }
  const groups = allocateNoise(layout, clipping, noiseMultiplier, noiseGroups);
  // The largest noise decides: a standard deviation of up to 2^31 steps, so that draws reach every grid point.
  const grid = gridFor(Math.max(...groups.map((group) => group.standardDeviation)));
  const scales = layout.layers.map(
    (_, layer) => groups.find(({ layers }) => layers.includes(layer))?.standardDeviation ?? 0,
  );
  const parts = groups.map((group) => gaussian(group.standardDeviation / group.sensitivity));
  // Under global clipping the parts are not independent budgets: the delta may be in any of them, but is in all of them once.
  const event = poissonSampled(samplingRate, clipping.mode === 'global' ? gaussian(noiseMultiplier) : composed(parts));
  return { clipping, grid, noise: new IndependentNoise('gaussian', layout, grid, scales, streams), event: () => event };
}

function largestCohort({ sampledCohort, population }: ResolvedPrivacy): number {
  return poissonCohortLimit(sampledCohort, population);
}
