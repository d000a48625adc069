import { PrivacyError } from '../errors.ts';
import { matches, nearNames } from '../params/layer-patterns.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type ClippingSpec, layerBounds } from './clipping.ts';

/** Layers that get more or less noise than others. */
export interface NoiseGroup {
  /** Names of layers; `*` stands for any characters, `?` for one. */
  readonly layers: readonly string[];
  /** Standard deviation of the noise relative to layers in no group. */
  readonly factor: number;
}

/** The noise of one group of layers. */
export interface GroupNoise {
  /** Indices in the layout. */
  readonly layers: readonly number[];
  /** Largest norm that one client's delta can have in these layers together, in units of the parameters. */
  readonly sensitivity: number;
  /** On each coordinate of the sum, in units of the parameters. */
  readonly standardDeviation: number;
}

/**
 * Shares noise of combined multiplier z out to groups of layers.
 *
 * Scaled by 1/s_h, the noise of layer h is standard normal, and a client moves the scaled sum by sqrt(Σ_h ‖Δ_h‖²/s_h²). So the whole is one
 * Gaussian mechanism with multiplier z = min over possible deltas of that root's inverse:
 *
 * - Layers clipped by themselves, ‖Δ_h‖ ≤ C_h: 1/z² = Σ_h C_h²/s_h² = Σ_g 1/z_g², with z_g = s_g / sqrt(Σ_{h in g} C_h²). With
 *   s_h = factor_h · s that gives s = z · sqrt(Σ_h C_h²/factor_h²).
 * - Global clipping, ‖Δ‖ ≤ C: the whole delta may lie where the noise is smallest, so 1/z = C / min_h s_h: s = z · C / min_h factor_h.
 *
 * @returns every layer once: the groups in their order, then layers in no group, if there are any
 * @throws PrivacyError when a pattern fits no layer that an earlier group has not taken
 */
export function allocateNoise(
  layout: ParameterLayout,
  clipping: ClippingSpec,
  noiseMultiplier: number,
  groups: readonly NoiseGroup[],
): GroupNoise[] {
  const members = [...groupLayers(layout, groups)];
  const factors = [...groups.map(({ factor }) => factor), 1];
  const bounds = layerBounds(clipping, layout);
  const sensitivities = members.map((layers) =>
    clipping.mode === 'global'
      ? clipping.bound
      : Math.sqrt(layers.reduce((sum, layer) => sum + bounds[layer] * bounds[layer], 0)),
  );
  const relative = sensitivities.map((sensitivity, g) => sensitivity / factors[g]);
  const unit =
    clipping.mode === 'global' ? Math.max(...relative) : Math.sqrt(relative.reduce((sum, r) => sum + r * r, 0));
  return members.map((layers, g) => ({
    layers,
    sensitivity: sensitivities[g],
    standardDeviation: factors[g] * noiseMultiplier * unit,
  }));
}

/** Indices of the layers of each group, and of those in none. The first group whose pattern fits takes a layer. */
function groupLayers(layout: ParameterLayout, groups: readonly NoiseGroup[]): number[][] {
  const members: number[][] = [...groups, null].map(() => []);
  for (const [index, { name }] of layout.layers.entries()) {
    const group = groups.findIndex(({ layers }) => layers.some((pattern) => matches(pattern, name)));
    members[group === -1 ? groups.length : group].push(index);
  }
  for (const [g, { layers }] of groups.entries()) {
    if (members[g].length > 0) continue;
    const names = layout.layers.map(({ name }) => name);
    throw new PrivacyError(
      `privacy.noiseGroups.${g}: ${layers.join(', ')} fits no layer that is left; layers like it are ${nearNames(layers[0], names).join(', ')}`,
    );
  }
  return members[groups.length].length > 0 ? members : members.slice(0, -1);
}
