import type { GraphBuilder } from '../builder.ts';
import { elementCount, intAttribute } from '../ir.ts';
import { type Window, windowOf } from '../shapes/windows.ts';
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
    needs(1) ? weightGradient(b, x(0), dy, b.shape(x(1)) as number[], window, groups) : undefined,
    needs(2) ? reduceSum(b, dy, spatialAxes, false) : undefined,
  ];
}

/** From this many channels on, one product per kernel position beats joining the patches into one matrix first. */
const wideChannels = 16;

/** The weight gradient of the convolution that makes `dy`'s places out of `input`'s patches. @param shape of the weight */
function weightGradient(
  b: GraphBuilder,
  input: string,
  dy: string,
  shape: readonly number[],
  window: Window,
  groups: number,
): string {
  const [outputs, channels, ...kernel] = shape as readonly [number, number, ...number[]];
  const slices = windowSlices(b, padSpatial(b, input, window, 0), dy, window);
  if (groups === 1 && channels >= wideChannels) return b.reshape(productPerPosition(b, dy, slices), shape);
  const columns = slices.map((slice) => b.reshape(slice, [0, 0, 1, -1]));
  const patches = b.op('Concat', columns, { axis: { kind: 'int', value: 2 } });
  const rows = b.reshape(patches, [0, groups, channels * elementCount(kernel), -1]);
  const products = matMul(b, b.reshape(dy, [0, groups, outputs / groups, -1]), rows, false, true);
  return b.reshape(reduceSum(b, products, [0], false), shape);
}

/** [outputs, channels, positions]: dy times each position's slice of the input, summed over the batch. */
function productPerPosition(b: GraphBuilder, dy: string, slices: readonly string[]): string {
  const rows = b.reshape(dy, [0, 0, -1]);
  const parts = slices.map((slice) => {
    const products = matMul(b, rows, b.reshape(slice, [0, 0, -1]), false, true);
    return b.op('Unsqueeze', [reduceSum(b, products, [0], false), b.axes([2])]);
  });
  return b.op('Concat', parts, { axis: { kind: 'int', value: 2 } });
}

/** The transpose of Conv: input gradient and forward pass change places, and the weight belongs to the convolution that runs backward. */
function convTransposeGradients({ b, x, dy, needs, node }: GradientContext): Gradients {
  const shape = b.shape(x(1)) as number[];
  const kernel = shape.slice(2);
  const window = windowOf(node, kernel, b.shape(dy).slice(2));
  const groups = intAttribute(node, 'group', 1);
  const { output_padding: _, ...attributes } = node.attributes;
  return [
    needs(0) ? b.op('Conv', [dy, x(1)], attributes) : undefined,
    needs(1) ? weightGradient(b, dy, x(0), shape, window, groups) : undefined,
    needs(2) ? reduceSum(b, dy, [0, ...kernel.map((_, i) => i + 2)], false) : undefined,
  ];
}

export const convolutionRules: readonly GradientRule[] = [
  { op: 'Conv', reads: ['x0', 'x1'], gradient: convGradients },
  { op: 'ConvTranspose', reads: ['x0', 'x1'], gradient: convTransposeGradients },
];
