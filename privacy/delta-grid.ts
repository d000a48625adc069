import { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type ClippingSpec, layerBounds, scalingLimits } from './clipping.ts';

/** Rounding to nearest may shorten deltas by no more than this part. */
const mostShortened = 2 ** -10;
/** The noise on every coordinate is to have a standard deviation of so many steps at least: the grid must not show beside it. */
const fewestSteps = 2 ** 12;

/** How client deltas are clipped and put on a grid. */
export interface DeltaGrid {
  readonly clipping: ClippingSpec;
  /** Workers and server must use the same. */
  readonly grid: ExactGrid;
}

/**
 * The grid for deltas whose sum gets Gaussian noise: that of `ExactGrid.forRoundedSum`, on which norm and sum take three quarters of the time, where it costs next
 * to nothing else; otherwise, and for other norms than L2, that of `forNoisySum`.
 * @param maxCohort most clients that one sum can hold
 * @param deviations standard deviations of the noise on coordinates of the sum, of all that there are
 */
export function gridUnderGaussian(
  clipping: ClippingSpec,
  layout: ParameterLayout,
  maxCohort: number,
  deviations: readonly number[],
): DeltaGrid {
  const { mode, bound } = clipping;
  const largest = Math.max(...deviations);
  const fine = { clipping, grid: ExactGrid.forNoisySum(bound, maxCohort, largest) };
  if (mode === 'l1' || mode === 'none') return fine;
  const coarse: DeltaGrid = {
    clipping: { ...clipping, rounding: 'nearest' },
    grid: ExactGrid.forRoundedSum(bound, maxCohort, largest),
  };
  const { step } = coarse.grid;
  const bounds = layerBounds(clipping, layout);
  const limits = scalingLimits(coarse.clipping, layout, coarse.grid);
  const invisible = Math.min(...deviations) >= fewestSteps * step && step > 2 ** -100;
  const holds = limits.every((limit, h) => bounds[h] <= bound && limit >= bounds[h] * (1 - mostShortened));
  return invisible && holds ? coarse : fine;
}
