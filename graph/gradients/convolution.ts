import { elementCount, intAttribute } from '../ir.ts';
import { windowOf } from '../shapes/windows.ts';
import { padSpatial, transposedToSize, windowSlices } from './patches.ts';
import { type GradientContext, type GradientRule, type Gradients, matMul, reduceSum } from './rule.ts';

/**
 * Conv over any number of spatial axes, with groups. The weight gradient is a product of dy with the input's patches (im2col by
 * slices), the input gradient a transposed convolution.
 */
function convGradients(context: GradientContext): Gradients {
  const { b, x, dy, needs, node } = context;
  const kernel = b.shape(x(1)).slice(2) as number[];
  const window = windowOf(node, kernel, b.shape(x(0)).slice(2));
  const groups = intAttribute(node, 'group', 1);
  const spatialAxes = [0, ...kernel.map((_, i) => i + 2)];
  return [
    needs(0) ? transposedToSize(b, dy, x(1), x(0), window, groups) : undefined,
    needs(1) ? weightGradient(context, groups) : undefined,
    needs(2) ? reduceSum(b, dy, spatialAxes, false) : undefined,
  ];
}

/** From this many channels on, one product per kernel position beats joining the patches into one matrix first. */
const wideChannels = 16;

function weightGradient(context: GradientContext, groups: number): string {
  const { b, x, dy, node } = context;
  const shape = b.shape(x(1)) as number[];
  const [outputs, channels, ...kernel] = shape as [number, number, ...number[]];
  const window = windowOf(node, kernel, b.shape(x(0)).slice(2));
  const slices = windowSlices(b, padSpatial(b, x(0), window, 0), dy, window);
  if (groups === 1 && channels >= wideChannels) return b.reshape(productPerPosition(context, slices), shape);
  const columns = slices.map((slice) => b.reshape(slice, [0, 0, 1, -1]));
  const patches = b.op('Concat', columns, { axis: { kind: 'int', value: 2 } });
  const rows = b.reshape(patches, [0, groups, channels * elementCount(kernel), -1]);
  const products = matMul(b, b.reshape(dy, [0, groups, outputs / groups, -1]), rows, false, true);
  return b.reshape(reduceSum(b, products, [0], false), shape);
}

/** [outputs, channels, positions]: dy times each position's slice of the input, summed over the batch. */
function productPerPosition({ b, dy }: GradientContext, slices: readonly string[]): string {
  const rows = b.reshape(dy, [0, 0, -1]);
  const parts = slices.map((slice) => {
    const products = matMul(b, rows, b.reshape(slice, [0, 0, -1]), false, true);
    return b.op('Unsqueeze', [reduceSum(b, products, [0], false), b.axes([2])]);
  });
  return b.op('Concat', parts, { axis: { kind: 'int', value: 2 } });
}

export const convolutionRules: readonly GradientRule[] = [{ op: 'Conv', reads: ['x0', 'x1'], gradient: convGradients }];
