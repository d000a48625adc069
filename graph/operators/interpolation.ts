import { ModelError } from '../../errors.ts';
import { intAttribute, type Node, stringAttribute } from '../ir.ts';

/** How a Resize node maps the elements of an axis: its interpolation and the meaning of coordinates. */
export interface Interpolation {
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: string;
  readonly rounding: string;
}

/** @throws ModelError for what has no gradient here */
export function interpolationOf(node: Node): Interpolation {
  const refuse = (what: string) =>
    new ModelError(`node '${node.name}' (Resize): ${what} cannot be trained; use nearest or linear interpolation`);
  const mode = stringAttribute(node, 'mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') throw refuse(`mode '${mode}'`);
  if (intAttribute(node, 'antialias', 0) === 1) throw refuse('antialias');
  if (stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    throw refuse('keep_aspect_ratio_policy');
  const coordinates = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  if (coordinates === 'tf_crop_and_resize') throw refuse(coordinates);
  return { mode, coordinates, rounding: stringAttribute(node, 'nearest_mode', 'round_prefer_floor') };
}

/** Where in the input the i-th element of the output lies. */
function coordinate(i: number, inputs: number, outputs: number, scale: number, kind: string): number {
  switch (kind) {
    case 'asymmetric':
      return i / scale;
    case 'align_corners':
      return outputs === 1 ? 0 : (i * (inputs - 1)) / (outputs - 1);
    case 'pytorch_half_pixel':
      return outputs === 1 ? 0 : (i + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      const adjustment = outputs / (scale * inputs);
      return (inputs / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    default:
      return (i + 0.5) / scale - 0.5;
  }
}

function nearest(x: number, rounding: string): number {
  if (rounding === 'floor') return Math.floor(x);
  if (rounding === 'ceil') return Math.ceil(x);
  return rounding === 'round_prefer_ceil' ? Math.floor(x + 0.5) : Math.ceil(x - 0.5);
}

/** The linear map of one axis as a row-major [outputs, inputs] matrix. */
export function resizeMatrix(inputs: number, outputs: number, scale: number, how: Interpolation): Float32Array {
  const matrix = new Float32Array(outputs * inputs);
  const clamp = (index: number) => Math.min(Math.max(index, 0), inputs - 1);
  for (let i = 0; i < outputs; i++) {
    const x = coordinate(i, inputs, outputs, scale, how.coordinates);
    if (how.mode === 'nearest') {
      matrix[i * inputs + clamp(nearest(x, how.rounding))] = 1;
      continue;
    }
    const inside = Math.min(Math.max(x, 0), inputs - 1);
    const below = Math.floor(inside);
    matrix[i * inputs + below]! += 1 - (inside - below);
    matrix[i * inputs + clamp(below + 1)]! += inside - below;
  }
  return matrix;
}
