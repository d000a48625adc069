import { ModelError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { l2Norm } from '../params/vector.ts';
import type { NoiseMechanism } from '../privacy/noise.ts';
import { pseudoGradient, type RoundTotals } from './aggregation.ts';
import { layerNorms, layerStatistics, signalToNoise } from './layer-statistics.ts';
import type { CentralOptimizer } from './optimizers/central-optimizer.ts';
import type { LayerStatistics } from './records.ts';

/** How a sum becomes a pseudo-gradient. */
export interface Release {
  readonly grid: ExactGrid;
  readonly mechanism: NoiseMechanism;
  readonly expectedCohort: number;
}

/** What a central step did. */
export interface CentralStep {
  readonly learningRate: number;
  /** Norm of the pseudo-gradient. */
  readonly updateNorm: number;
  readonly layers: LayerStatistics;
  /** Wall-clock seconds of the noise and of the optimizer's step. */
  readonly seconds: { readonly noise: number; readonly optimizer: number };
}

/**
 * The server's half of a round (arXiv:2310.00098 Algorithm 1, lines after the sum): noise once, division by the expected
 * cohort, one step of the central optimizer. `totals.sum` and `parameters` change in place.
 * @param scratch a flat vector to work in
 * @throws ModelError when the parameters are no longer finite
 */
export function centralStep(
  round: number,
  totals: RoundTotals,
  release: Release,
  optimizer: CentralOptimizer,
  layout: ParameterLayout,
  parameters: Float32Array,
  scratch: Float32Array,
): CentralStep {
  const { grid, mechanism, expectedCohort } = release;
  pseudoGradient(totals.sum, grid, expectedCohort, scratch);
  const noiseStds = layout.layers.map((_, layer) => mechanism.standardDeviation(round, layer) / expectedCohort);
  const ratios = signalToNoise(layerNorms(scratch, layout), layout, noiseStds);
  const started = performance.now();
  mechanism.addTo(totals.sum, round);
  const noised = performance.now();
  pseudoGradient(totals.sum, grid, expectedCohort, scratch);
  const updateNorm = l2Norm(scratch);
  const learningRate = optimizer.nextLearningRate;
  optimizer.step(parameters, scratch);
  if (!Number.isFinite(l2Norm(parameters))) {
    throw new ModelError(
      `round ${round}: the parameters are no longer finite; lower optimizer.learningRate or local.learningRate`,
    );
  }
  const seconds = { noise: (noised - started) / 1000, optimizer: (performance.now() - noised) / 1000 };
  return { learningRate, updateNorm, layers: layerStatistics(layout, totals, ratios), seconds };
}
