import { ModelError } from '../../errors.ts';
import { multiplyDims } from '../dims.ts';
import { type Dim, float32Tensor, ints, intsAttribute } from '../ir.ts';
import { interpolationOf, resizeMatrix } from './interpolation.ts';
import { type GradientContext, gradientOfFirst, type Operator } from './operator.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

const resizeType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axes = intsAttribute(context.node, 'axes') ?? shape.map((_, axis) => axis);
  const result = [...shape];
  const sizes = context.integers(3);
  const scales = context.hasInput(2) ? context.constant(2) : undefined;
  for (const [i, axis] of axes.entries()) {
    const at = normaliseAxis(axis, shape.length);
    if (sizes) result[at] = sizes[i]!;
    else if (scales && scales.data.length > 0) result[at] = scaledDim(context, shape[at]!, Number(scales.data[i]));
    else throw context.fail('constant scales or sizes are needed');
  }
  return same({ dtype, shape: result });
};

function scaledDim(context: ShapeContext, dim: Dim, scale: number): Dim {
  if (typeof dim === 'number') return Math.floor(dim * scale);
  if (!Number.isInteger(scale))
    throw context.fail(`an unknown size cannot be scaled by ${scale}; fix it when exporting`);
  return multiplyDims(dim, scale);
}

/** Resizing is a linear map along each axis on its own; the gradient is multiplied by its matrix along the resized axes. */
function resizeGradient(context: GradientContext): string {
  const { b, node, x, y, dy } = context;
  const how = interpolationOf(node);
  const [before, after] = [b.shape(x(0)), b.shape(y())];
  const axes = intsAttribute(node, 'axes') ?? before.map((_, axis) => axis);
  const given = node.inputs[2] ? b.constantTensor(node.inputs[2]) : undefined;
  let gradient = dy;
  for (const [axis, inputs] of before.entries()) {
    const outputs = after[axis]!;
    if (inputs === outputs) continue;
    if (typeof inputs !== 'number' || typeof outputs !== 'number') {
      throw new ModelError(
        `node '${node.name}' (Resize): axis ${axis} has a size that is known only at run time; export the model with fixed image sizes`,
      );
    }
    const stated = given?.data[axes.indexOf(axis)];
    const scale = stated === undefined ? outputs / inputs : Number(stated);
    const matrix = b.constant(float32Tensor([outputs, inputs], resizeMatrix(inputs, outputs, scale, how)));
    gradient = alongAxis(context, gradient, matrix, axis);
  }
  return gradient;
}

/** gradient · matrix, over one axis. */
function alongAxis({ b }: GradientContext, gradient: string, matrix: string, axis: number): string {
  const rank = b.rank(gradient);
  const last = rank - 1;
  if (axis === last) return b.op('MatMul', [gradient, matrix]);
  const swap = { perm: ints(Array.from({ length: rank }, (_, i) => (i === axis ? last : i === last ? axis : i))) };
  return b.op('Transpose', [b.op('MatMul', [b.op('Transpose', [gradient], swap), matrix])], swap);
}

export const resizeOperators: readonly Operator[] = [
  { op: 'Resize', infer: resizeType, gradient: gradientOfFirst([], resizeGradient) },
];
