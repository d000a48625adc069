import { z } from 'zod';

/** Layers with noise of their own, see `noise-groups.ts`. */
export const noiseGroup = z.strictObject({
  layers: z.array(z.string().min(1)).min(1).describe('names of layers; `*` stands for any characters'),
  factor: z
    .number()
    .gt(0)
    .describe('standard deviation of their noise relative to layers in no group; the combined noise multiplier stays'),
});

/** Clipping bounds that follow a quantile of the norms, see `adaptive-clipping.ts`. */
export const adaptiveClipping = z.strictObject({
  quantile: z.number().gt(0).lt(1).default(0.5).describe('fraction of clients whose norm is to be within the bound'),
  learningRate: z
    .number()
    .gt(0)
    .default(0.2)
    .describe('the bound is multiplied with exp(−rate · (fraction within − quantile))'),
  countNoise: z
    .number()
    .gt(0)
    .optional()
    .describe('standard deviation of the noise on the number of clients within the bound; default S / 20'),
});

/** A wrong combination of settings. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

interface MechanismSettings {
  readonly mechanism: string;
  readonly clipping: { readonly mode: string; readonly adaptive?: unknown };
  readonly noise?: { readonly multiplier?: number | undefined } | undefined;
  readonly extrapolate: readonly unknown[];
  readonly noisePlacement: string;
  readonly bands?: number | undefined;
  readonly noiseGroups?: readonly unknown[] | undefined;
}

/** What does not go together in the settings of a mechanism. */
export function mechanismProblems(settings: MechanismSettings): Problem[] {
  const { mechanism, clipping, noise, noisePlacement, noiseGroups, extrapolate, bands } = settings;
  const problems: Problem[] = [];
  const add = (path: string[], message: string) => problems.push({ path, message });
  if (mechanism === 'laplace') {
    if (clipping.mode !== 'l1') {
      add(
        ['clipping', 'mode'],
        'Laplace noise is measured against the L1 norm, which this mode does not bound; choose l1',
      );
    }
    if (noise !== undefined && noise.multiplier === undefined) {
      add(['noise'], 'for mechanism laplace state multiplier, the scale b in units of the clipping bound');
    }
    if (extrapolate.length > 0) add(['extrapolate'], 'extrapolation is for Gaussian noise; remove extrapolate');
  } else if (clipping.mode === 'l1') {
    add(['clipping', 'mode'], 'l1 is for mechanism laplace; choose global, uniform or dim');
  }
  if (noiseGroups !== undefined && mechanism !== 'gaussian') {
    add(['noiseGroups'], 'only mechanism gaussian has noise per group of layers; remove it');
  }
  if ((mechanism === 'bandedMatrix') !== (bands !== undefined)) {
    add(['bands'], mechanism === 'bandedMatrix' ? 'mechanism bandedMatrix needs bands' : 'bands are for bandedMatrix');
  }
  if ((mechanism === 'bandedMatrix' || mechanism === 'treeAggregation') && extrapolate.length > 0) {
    add(['extrapolate'], 'extrapolation is for Poisson cohorts; remove extrapolate');
  }
  if (clipping.adaptive !== undefined) {
    const fits = mechanism === 'gaussian' && noisePlacement === 'central' && noiseGroups === undefined;
    if (!fits || clipping.mode === 'l1') {
      add(
        ['clipping', 'adaptive'],
        'adaptive bounds are for Gaussian noise added centrally, without noiseGroups; remove adaptive or those',
      );
    }
    if (extrapolate.length > 0) {
      add(['extrapolate'], 'the noise of adaptive bounds depends on the cohort; remove extrapolate');
    }
  }
  if (noisePlacement !== 'central') {
    if (mechanism !== 'gaussian' && mechanism !== 'discreteGaussian') {
      add(['noisePlacement'], `mechanism ${mechanism} adds its noise centrally; remove noisePlacement`);
    }
    if (noiseGroups !== undefined)
      add(['noiseGroups'], 'noise per group of layers is added centrally; remove noisePlacement');
  }
  if (noisePlacement === 'local' && extrapolate.length > 0) {
    add(['extrapolate'], 'a larger cohort does not change local privacy; remove extrapolate');
  }
  return problems;
}
