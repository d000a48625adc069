import { PrivacyError } from '../errors.ts';
import { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type AdaptiveClipping, splitBudget } from './adaptive-clipping.ts';
import { BandedNoise, bandedSquareRoot } from './banded-noise.ts';
import { isCorrelated } from './config.ts';
import { type DeltaGrid, gridUnderGaussian } from './delta-grid.ts';
import { composed, discreteGaussian, gaussian, mechanismStep, type PrivacyEvent } from './events.ts';
import { IndependentNoise, type NoiseKind, type NoiseMechanism, type NoiseStreams, noNoise } from './noise.ts';
import { allocateNoise } from './noise-groups.ts';
import type { ResolvedPrivacy } from './resolve.ts';
import { onCohort } from './round-event.ts';
import { poissonCohortLimit } from './sampling.ts';
import { TreeNoise } from './tree-noise.ts';

/** What a run does to the sum of a round, and what that costs. */
export interface RoundMechanism extends DeltaGrid {
  /** All the noise of a round. */
  readonly noise: NoiseMechanism;
  /** What the ledger says of central step `round`. */
  event(round: number): PrivacyEvent;
  /** Scale of the noise in grid steps and its distribution, where clients add it themselves; null where they do not. */
  readonly clientNoise: ClientScale | null;
}

/** Noise that the clients of a round add. */
export interface ClientScale {
  readonly kind: NoiseKind;
  /** On every client's delta with `local`; on the sum, to be shared out, with `shares`. */
  readonly steps: number;
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
  const { mechanism, clipping, noiseMultiplier, noiseGroups, roundEvent } = settings;
  if (mechanism === 'none' || noiseMultiplier === null) {
    const grid = ExactGrid.forSum(clipping.bound, largestCohort(settings));
    return { clipping, grid, noise: noNoise, event: () => roundEvent, clientNoise: null };
  }
  if (isCorrelated(mechanism)) return correlatedMechanism(settings, layout, streams);
  if (noiseGroups !== undefined) return groupedNoise(settings, noiseMultiplier, layout, streams);
  return equalNoise(settings, mechanism, noiseMultiplier, layout, streams);
}

/**
 * The settings of a round whose clipping bounds have moved: the noise follows the bounds, and the budget is shared with the counts that move them.
 * @throws PrivacyError when the counts leave no budget
 */
export function withBounds(settings: ResolvedPrivacy, adaptive: AdaptiveClipping): ResolvedPrivacy {
  const { noiseMultiplier } = settings;
  if (noiseMultiplier === null || settings.adaptive === undefined) return settings;
  const split = splitBudget(noiseMultiplier, settings.adaptive.countNoise, adaptive.bounds.length);
  const clipping = adaptive.spec;
  return {
    ...settings,
    clipping,
    noiseMultiplier: split.deltas,
    standardDeviation: split.deltas * clipping.bound,
    roundEvent: onCohort(settings, composed([gaussian(split.deltas), gaussian(split.counts)])),
  };
}

/** Noise of one scale on all layers. */
function equalNoise(
  settings: ResolvedPrivacy,
  kind: NoiseKind,
  noiseMultiplier: number,
  layout: ParameterLayout,
  streams: NoiseStreams,
): RoundMechanism {
  const { noisePlacement, sigmaClient, roundEvent } = settings;
  const { bound } = settings.clipping;
  const scale = noiseMultiplier * bound;
  const local = noisePlacement === 'local';
  const clientScale = local ? (sigmaClient ?? 0) * bound : scale;
  const deviation = local ? clientScale : (settings.standardDeviation ?? 0);
  // Small shares of noise, and the exact numbers of other distributions, want a fine grid.
  const { clipping, grid } =
    kind === 'gaussian' && noisePlacement === 'central'
      ? gridUnderGaussian(settings.clipping, layout, largestCohort(settings), [deviation])
      : { clipping: settings.clipping, grid: fineGrid(settings, deviation) };
  const scales = layout.layers.map(() => scale);
  const noise = new IndependentNoise(kind, layout, grid, scales, streams);
  const clientNoise = noisePlacement === 'central' ? null : { kind, steps: clientScale * grid.perUnit };
  if (kind !== 'discreteGaussian') return { clipping, grid, noise, event: () => roundEvent, clientNoise };
  // On the grid the exact numbers are known: those of the integers that are released.
  const exact = discreteGaussian(clientScale * grid.perUnit, clipping.bound * grid.perUnit, layout.size);
  const event = local ? exact : onCohort(settings, exact);
  return { clipping, grid, noise, event: () => event, clientNoise };
}

/** Gaussian noise that rounds share. */
function correlatedMechanism(
  settings: ResolvedPrivacy,
  layout: ParameterLayout,
  streams: NoiseStreams,
): RoundMechanism {
  const { correlated, noiseSource } = settings;
  if (correlated === null) throw new PrivacyError(`mechanism ${settings.mechanism} has no noise`);
  const std = correlated.noiseMultiplier * settings.clipping.bound;
  const { clipping, grid } = gridUnderGaussian(settings.clipping, layout, largestCohort(settings), [std]);
  const noise =
    correlated.kind === 'treeAggregation'
      ? new TreeNoise(layout, grid, std, streams, noiseSource)
      : new BandedNoise(layout, grid, bandedSquareRoot(settings.bands), std, streams, noiseSource);
  return { clipping, grid, noise, event: (round) => mechanismStep(correlated, round), clientNoise: null };
}

/** Gaussian noise with a scale per group of layers. */
function groupedNoise(
  settings: ResolvedPrivacy,
  noiseMultiplier: number,
  layout: ParameterLayout,
  streams: NoiseStreams,
): RoundMechanism {
  const { noiseGroups = [] } = settings;
  const groups = allocateNoise(layout, settings.clipping, noiseMultiplier, noiseGroups);
  const deviations = groups.map((group) => group.standardDeviation);
  const { clipping, grid } = gridUnderGaussian(settings.clipping, layout, largestCohort(settings), deviations);
  const scales = layout.layers.map(
    (_, layer) => groups.find(({ layers }) => layers.includes(layer))?.standardDeviation ?? 0,
  );
  const parts = groups.map((group) => gaussian(group.standardDeviation / group.sensitivity));
  // Under global clipping the parts are not independent budgets: the delta may be in any of them, but is in all of them once.
  const event = onCohort(settings, clipping.mode === 'global' ? gaussian(noiseMultiplier) : composed(parts));
  const noise = new IndependentNoise('gaussian', layout, grid, scales, streams);
  return { clipping, grid, noise, event: () => event, clientNoise: null };
}

function fineGrid(settings: ResolvedPrivacy, std: number): ExactGrid {
  return ExactGrid.forNoisySum(settings.clipping.bound, largestCohort(settings), std);
}

function largestCohort({ sampledCohort, population, canaries }: ResolvedPrivacy): number {
  return poissonCohortLimit(sampledCohort, population) + canaries;
}
