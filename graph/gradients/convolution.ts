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

function weightGradient({ b, x, dy, node }: GradientContext, groups: number): string {
  const shape = b.shape(x(1)) as number[];
  const [outputs, channels, ...kernel] = shape as [number, number, ...number[]];
  const window = windowOf(node, kernel, b.shape(x(0)).slice(2));
  const slices = windowSlices(b, padSpatial(b, x(0), window, 0), dy, window);
  const columns = slices.map((slice) => b.reshape(slice, [0, 0, 1, -1]));
  const patches = b.op('Concat', columns, { axis: { kind: 'int', value: 2 } });
  const perGroup = channels * elementCount(kernel);
  if (groups === 1) {
    const rows = b.reshape(patches, [0, perGroup, -1]);
    const products = matMul(b, b.reshape(dy, [0, 0, -1]), rows, false, true);
    return b.reshape(reduceSum(b, products, [0], false), shape);
  }
  const rows = b.reshape(patches, [0, groups, perGroup, -1]);
  const products = matMul(b, b.reshape(dy, [0, groups, outputs / groups, -1]), rows, false, true);
  return b.reshape(reduceSum(b, products, [0], false), shape);
}

export const convolutionRules: readonly GradientRule[] = [{ op: 'Conv', reads: ['x0', 'x1'], gradient: convGradients }];
