import type { ParameterLayout } from '../params/layout.ts';
import { l2Norm } from '../params/vector.ts';
import type { RoundTotals } from './aggregation.ts';
import type { LayerStatistics } from './records.ts';

/** Norm of each layer's part of a flat vector. */
export function layerNorms(flat: Float32Array, layout: ParameterLayout): number[] {
  return layout.layers.map(({ offset, size }) => l2Norm(flat, offset, offset + size));
}

/**
 * Norm of the noiseless average over the norm that noise alone is expected to have: std · √d for d parameters (its root mean
 * square). Null for every layer when there is no noise.
 * @param averageNorms norms of the noiseless average per layer
 * @param noiseStds standard deviation of the noise on each coordinate of the average, per layer; 0 without noise
 */
export function signalToNoise(
  averageNorms: readonly number[],
  layout: ParameterLayout,
  noiseStds: readonly number[],
): (number | null)[] {
  return layout.layers.map(({ size }, index) =>
    noiseStds[index] === 0 ? null : averageNorms[index] / (noiseStds[index] * Math.sqrt(size)),
  );
}

/** The per-layer figures of one round; means over contributing clients, 0 when there were none, null where clients do not tell (local noise). */
export function layerStatistics(
  layout: ParameterLayout,
  totals: Pick<RoundTotals, 'contributed' | 'deltaNormSums' | 'clippedCounts'>,
  ratios: readonly (number | null)[],
): LayerStatistics {
  const clients = Math.max(totals.contributed, 1);
  const norms = totals.deltaNormSums;
  const told = (figure: number, layer: number) => (Number.isNaN(norms[layer]) ? null : figure / clients);
  return {
    names: layout.layers.map(({ name }) => name),
    deltaNorms: Array.from(norms, told),
    clippedFraction: Array.from(totals.clippedCounts, told),
    signalToNoise: [...ratios],
  };
}
