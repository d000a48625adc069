import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import { type AddToGrid, addRounded, addTruncated, mostRounded, type ScaledLayers } from '../params/grid-sum.ts';
import type { ParameterLayout, ScatteredLayers } from '../params/layout.ts';
import { quickSquaresError, quickSumOfSquares, sumOfMagnitudes } from '../params/vector.ts';

/**
 * How a client delta is brought to a total norm of at most C; the L1 norm with `l1`, else the L2 norm. `none` scales nothing and is allowed
 * only without noise.
 */
export type ClippingMode = 'global' | 'uniform' | 'dim' | 'l1' | 'none';

export interface ClippingSpec {
  readonly mode: ClippingMode;
  /** Clipping bound C, in units of the parameters. With mode `none`: the largest magnitude of one coordinate that is accepted. */
  readonly bound: number;
  /** Bounds C_h in the order of layers, whose squares sum to C², in place of those of the mode. */
  readonly layerBounds?: readonly number[] | undefined;
  /** How coordinates become integers of the grid: `nearest` on a grid of `ExactGrid.forRoundedSum`; left out, truncated toward zero. */
  readonly rounding?: 'nearest' | undefined;
}

/** What clipping did to one delta. Norms and flags follow the layout's order of layers; neither is private. */
export type ClipOutcome =
  | {
      readonly accepted: true;
      /** Norm of each layer's delta before clipping. */
      readonly norms: Float64Array;
      /** 1 where the layer was scaled down; with global clipping the same for all layers. */
      readonly clipped: Uint8Array;
    }
  | { readonly accepted: false };

const REJECTED: ClipOutcome = Object.freeze({ accepted: false });

/** A client's delta, and the weight in [0, 1] that it has in the sum after clipping; default 1. */
export interface WeightedDelta {
  readonly delta: Float32Array | ScatteredLayers;
  readonly weight?: number;
}

/**
 * Per-layer bounds C_h = C·sqrt(α_h·d_h / Σ_i α_i·d_i), whose squares sum to C² (arXiv:2310.00098 App. H.5).
 * @param weights α_h, one positive number per layer
 */
export function weightedLayerBounds(bound: number, layout: ParameterLayout, weights: readonly number[]): Float64Array {
  if (weights.length !== layout.layers.length || !weights.every((weight) => weight > 0 && Number.isFinite(weight))) {
    throw new PrivacyError(`clipping: need one positive weight per layer (${layout.layers.length}), got [${weights}]`);
  }
  const masses = layout.layers.map(({ size }, h) => weights[h] * size);
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  return Float64Array.from(masses, (mass) => bound * Math.sqrt(mass / total));
}

/**
 * The bound C_h of every layer's norm under `spec` (arXiv:2310.00098 Definition 3): C/sqrt(H) for `uniform`, C·sqrt(d_h/Σ d_i) for
 * `dim`; both satisfy Σ C_h² = C². With `global` and `l1` only the whole norm is bounded, so each layer may reach C; with `none`, infinity.
 */
export function layerBounds(spec: ClippingSpec, layout: ParameterLayout): Float64Array {
  const count = layout.layers.length;
  if (spec.layerBounds !== undefined) {
    if (spec.layerBounds.length !== count || (spec.mode !== 'uniform' && spec.mode !== 'dim')) {
      throw new PrivacyError(`clipping: ${spec.layerBounds.length} bounds for ${count} layers under mode ${spec.mode}`);
    }
    return Float64Array.from(spec.layerBounds);
  }
  switch (spec.mode) {
    case 'global':
    case 'l1':
      return new Float64Array(count).fill(spec.bound);
    case 'uniform':
      return new Float64Array(count).fill(spec.bound / Math.sqrt(count));
    case 'dim':
      return weightedLayerBounds(spec.bound, layout, Array(count).fill(1));
    case 'none':
      return new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  }
}

/** More than the relative errors of a factor and of a product that are rounded to float32, 2^-24 each. */
const productError = 2 ** -22;

/** Below it float32 has not all its digits. */
const smallestFactor = 2 ** -126;

/**
 * The norms to which layers are scaled: the bounds C_h, less what rounding can add to a norm. With rounding to nearest that is half a step of the grid
 * for each coordinate, step·√d_h/2 together.
 */
export function scalingLimits(spec: ClippingSpec, layout: ParameterLayout, grid: ExactGrid): Float64Array {
  const nearest = spec.rounding === 'nearest';
  // Half of the squares' relative error is that of an L2 norm.
  const norm = spec.mode === 'l1' ? 0 : quickSquaresError / 2;
  const slack = norm + (nearest ? productError : 0) + (layout.size + 32) * 2 ** -53;
  return layerBounds(spec, layout).map((bound, h) => {
    const size = spec.mode === 'global' ? layout.size : layout.layers[h].size;
    return bound * (1 - slack) - (nearest ? (Math.sqrt(size) * grid.step) / 2 : 0);
  });
}

/**
 * Clips client deltas and adds them, as integers of the grid, to a shard's sum.
 *
 * The norm of what is added is at most C *exactly*, not up to rounding: a delta is scaled to a norm of `scalingLimits`, which leaves room
 * for the rounding errors of the norm (`quickSumOfSquares`), of the bounds and of the scaling. Then every coordinate is truncated toward zero, which can
 * only shrink it, or rounded to the nearest integer, for which there is room, too. Truncated, that is 1.2e-7 of C for L2 norms; rounded, on a grid of C·2^-21 to C·2^-22
 * and with a million parameters, 1.2e-4 to 2.4e-4.
 */
export class Clipper {
  readonly spec: ClippingSpec;
  /** Bounds C_h as in `layerBounds`. */
  readonly bounds: Float64Array;
  readonly #layout: ParameterLayout;
  readonly #perUnit: number;
  /** Where the layers of a delta in one piece begin. */
  readonly #offsets: readonly number[];
  /** The norms to which layers are scaled. */
  readonly #limits: Float64Array;
  readonly #add: AddToGrid;

  /** @throws PrivacyError when the bound is not positive and finite, or the grid or the mode not made for rounding to nearest */
  constructor(layout: ParameterLayout, spec: ClippingSpec, grid: ExactGrid) {
    if (!(spec.bound > 0) || !Number.isFinite(spec.bound)) {
      throw new PrivacyError(`privacy.clipping.bound must be positive and finite, got ${spec.bound}`);
    }
    this.spec = spec;
    this.bounds = layerBounds(spec, layout);
    this.#limits = scalingLimits(spec, layout, grid);
    this.#layout = layout;
    this.#perUnit = grid.perUnit;
    this.#offsets = layout.layers.map(({ offset }) => offset);
    this.#add = spec.rounding === 'nearest' ? addRounded : addTruncated;
    if (spec.rounding === 'nearest') requireRoundable(spec, this.#limits, grid);
  }

  /**
   * Adds the clipped deltas to `sum`, which holds grid integers. They are left as they are.
   * A delta with a NaN or infinite element is rejected (as is, with mode `none`, one beyond the bound) and adds nothing.
   * @returns the outcome of each
   * @throws PrivacyError when a length is not that of the layout, or a weight not in [0, 1]; `sum` is untouched then
   */
  addAll(sum: Float64Array, deltas: readonly WeightedDelta[]): ClipOutcome[] {
    const { layers, size } = this.#layout;
    if (sum.length !== size) {
      throw new PrivacyError(`clipping: the layout has ${size} parameters, but the sum has ${sum.length}`);
    }
    const accepted: ScaledLayers[] = [];
    const outcomes = deltas.map(({ delta, weight = 1 }) => this.#measure(this.#layersOf(delta), weight, accepted));
    for (let h = 0; h < layers.length; h++) {
      this.#add(sum, layers[h].offset, layers[h].size, accepted, h);
    }
    return outcomes;
  }

  /** `addAll` of one delta. */
  addTo(sum: Float64Array, delta: Float32Array | ScatteredLayers, weight = 1): ClipOutcome {
    return this.addAll(sum, [{ delta, weight }])[0]!;
  }

  /** What clipping a delta comes to. @param accepted is given the delta with the factors of its layers, unless it is rejected */
  #measure(delta: ScatteredLayers, weight: number, accepted: ScaledLayers[]): ClipOutcome {
    if (!(weight >= 0 && weight <= 1)) throw new PrivacyError(`clipping: a weight of ${weight} is not in [0, 1]`);
    const { layers } = this.#layout;
    const { values, starts } = delta;
    const norms = new Float64Array(layers.length);
    let total = 0;
    for (let h = 0; h < layers.length; h++) {
      const squares = quickSumOfSquares(values, starts[h], starts[h] + layers[h].size);
      norms[h] = Math.sqrt(squares);
      total += squares;
    }
    // Before anything is added: a NaN norm compares false with every bound and would pass unclipped.
    const scales = Number.isFinite(total) ? this.#scales(delta, norms, Math.sqrt(total)) : undefined;
    if (scales === undefined) return REJECTED;
    const perUnit = weight * this.#perUnit;
    const clipped = new Uint8Array(layers.length);
    for (let h = 0; h < layers.length; h++) {
      clipped[h] = Number(scales[h] < 1);
      scales[h] *= perUnit;
      if (this.spec.rounding === 'nearest' && scales[h] < smallestFactor) scales[h] = 0;
    }
    accepted.push({ values, starts, factors: scales });
    return { accepted: true, norms, clipped };
  }

  /** What clipping scales each layer by; undefined where a coordinate is more than the grid can carry. */
  #scales(delta: ScatteredLayers, norms: Float64Array, norm: number): Float64Array | undefined {
    const all = (scale: number) => new Float64Array(norms.length).fill(scale);
    switch (this.spec.mode) {
      case 'none': {
        const { bound } = this.spec;
        return norm * (1 + quickSquaresError) > bound && this.#exceeds(delta, bound) ? undefined : all(1);
      }
      case 'global':
        return all(scaleTo(this.#limits[0], norm));
      case 'l1':
        return all(scaleTo(this.#limits[0], this.#sumOfMagnitudes(delta)));
      case 'uniform':
      case 'dim':
        return norms.map((norm, h) => scaleTo(this.#limits[h], norm));
    }
  }

  #sumOfMagnitudes({ values, starts }: ScatteredLayers): number {
    return this.#layout.layers.reduce(
      (norm, { size }, h) => norm + sumOfMagnitudes(values, starts[h], starts[h] + size),
      0,
    );
  }

  #exceeds({ values, starts }: ScatteredLayers, bound: number): boolean {
    return this.#layout.layers.some(({ size }, h) =>
      values.subarray(starts[h], starts[h] + size).some((value) => Math.abs(value) > bound),
    );
  }

  /** @throws PrivacyError unless the delta has the layout's layers */
  #layersOf(delta: Float32Array | ScatteredLayers): ScatteredLayers {
    const { layers, size } = this.#layout;
    if (delta instanceof Float32Array) {
      if (delta.length === size) return { values: delta, starts: this.#offsets };
      throw new PrivacyError(`clipping: the layout has ${size} parameters, but delta has ${delta.length}`);
    }
    const { values, starts } = delta;
    if (starts.length === layers.length && layers.every((layer, h) => starts[h] + layer.size <= values.length)) {
      return delta;
    }
    throw new PrivacyError(`clipping: the delta's ${starts.length} layers are not the ${layers.length} of the layout`);
  }
}

/** @throws PrivacyError where `addRounded` could be wrong, or nothing be left of the deltas */
function requireRoundable({ mode, bound }: ClippingSpec, limits: Float64Array, { perUnit }: ExactGrid): void {
  const [least, most] = [Math.min(...limits), Math.max(...limits)];
  const holds = least > 0 && most * perUnit <= mostRounded && perUnit < 2 ** 100;
  if (holds && mode !== 'l1' && mode !== 'none') return;
  throw new PrivacyError(
    `clipping: deltas of norm ${bound} (${mode}) cannot be rounded to nearest on a grid of ${1 / perUnit}; use the same version of dpfl on server and workers`,
  );
}

/** limit / max(limit, norm): 1 for a zero norm, where the quotient would be undefined. */
function scaleTo(limit: number, norm: number): number {
  return norm > limit ? limit / norm : 1;
}
