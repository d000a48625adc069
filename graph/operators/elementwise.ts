import { ModelError } from '../../errors.ts';
import { addDims, floorDivideDims, multiplyDims, subtractDims } from '../dims.ts';
import { type DataType, type Dim, intAttribute, type ValueType } from '../ir.ts';
import { dataTypeOf } from '../onnx/tensor.ts';
import { type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

/** Numpy broadcasting on shapes with symbolic dimensions. @throws ModelError when two known sizes disagree */
export function broadcastShapes(...shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return sizes.reduce((a, b) => broadcastDim(a, b, shapes));
  });
}

function broadcastDim(a: Dim, b: Dim, shapes: readonly (readonly Dim[])[]): Dim {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === 'number' && typeof b === 'number') {
    throw new ModelError(`shapes ${shapes.map((shape) => `[${shape}]`).join(' and ')} do not broadcast`);
  }
  // A number above 1 wins: the other side is either equal to it or 1 when the graph runs.
  if (typeof a === 'number') return a;
  if (typeof b === 'number') return b;
  return `max(${a},${b})`;
}

function broadcast(context: ShapeContext, dtype: DataType): ValueType {
  try {
    return { dtype, shape: broadcastShapes(...context.node.inputs.map((_, i) => context.input(i).shape)) };
  } catch (error) {
    throw context.fail((error as Error).message);
  }
}

const unary: ShapeRule = (context) => same(context.input(0));
const numeric: ShapeRule = (context) => same(broadcast(context, context.input(0).dtype));

/** Equal is also decided on known integers: exporters compare target shapes with −1. A symbolic size is never negative. */
const equal: ShapeRule = (context) => {
  const type = broadcast(context, 'bool');
  const a = context.integers(0);
  const b = context.integers(1);
  if (!a || !b || type.shape.length > 1) return same(type);
  const compare = (x: Dim, y: Dim): number | undefined => {
    if (x === y) return 1;
    if (typeof x === 'number' && typeof y === 'number') return 0;
    return [x, y].some((size) => typeof size === 'number' && size < 0) ? 0 : undefined;
  };
  const integers = Array.from({ length: Math.max(a.length, b.length) }, (_, i) =>
    compare(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!),
  );
  return integers.every((value) => value !== undefined) ? { types: [type], integers } : same(type);
};

/** Where, also between known integers. */
const where: ShapeRule = (context) => {
  const type = broadcast(context, context.input(1).dtype);
  const [condition, yes, no] = [context.integers(0), context.integers(1), context.integers(2)];
  if (!condition || !yes || !no || type.shape.length > 1) return same(type);
  const length = Math.max(condition.length, yes.length, no.length);
  const at = (values: readonly Dim[], i: number) => values[values.length === 1 ? 0 : i]!;
  const integers = Array.from({ length }, (_, i) => (at(condition, i) === 0 ? at(no, i) : at(yes, i)));
  return { types: [type], integers };
};

const comparison: ShapeRule = (context) => same(broadcast(context, 'bool'));

/** A broadcasting operator that is also carried out on known integers, for shape arithmetic. */
function arithmetic(calculate: (a: Dim, b: Dim) => Dim): ShapeRule {
  return (context) => {
    const type = broadcast(context, context.input(0).dtype);
    const a = context.integers(0);
    const b = context.integers(1);
    if (!a || !b || type.shape.length > 1) return same(type);
    const length = Math.max(a.length, b.length);
    const integers = Array.from({ length }, (_, i) =>
      calculate(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!),
    );
    return { types: [type], integers };
  };
}

const unaryOperators =
  'Sqrt Reciprocal Exp Log Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Mish Softplus Softsign Tanh Erf Gelu Sign Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Not Clip Softmax LogSoftmax Identity Floor Ceil Round ThresholdedRelu PRelu Trilu GroupNormalization';
const numericOperators = 'Mod Pow Max Min Sum Mean BitShift BitwiseXor';

export const elementwiseShapes: Record<string, ShapeRule> = {
  ...Object.fromEntries(unaryOperators.split(' ').map((op) => [op, unary])),
  ...Object.fromEntries(numericOperators.split(' ').map((op) => [op, numeric])),
  ...Object.fromEntries('Greater GreaterOrEqual Less LessOrEqual And Or Xor'.split(' ').map((op) => [op, comparison])),
  Add: arithmetic(addDims),
  Sub: arithmetic(subtractDims),
  Mul: arithmetic(multiplyDims),
  Div: arithmetic(floorDivideDims),
  Neg: (context) => ({
    types: [context.input(0)],
    integers: context.integers(0)?.map((value) => (typeof value === 'number' ? -value : subtractDims(0, value))),
  }),
  // Exporters write sizes of which −1 means "as it is", the size 1 of an Expand, through Abs; symbolic sizes are positive.
  Abs: (context) => ({
    types: [context.input(0)],
    integers: context.integers(0)?.map((value) => (typeof value === 'number' ? Math.abs(value) : value)),
  }),
  Identity: (context) => ({ types: [context.input(0)], integers: context.integers(0) }),
  IsNaN: (context) => same({ ...context.input(0), dtype: 'bool' }),
  IsInf: (context) => same({ ...context.input(0), dtype: 'bool' }),
  Equal: equal,
  Where: where,
  Dropout: (context) => ({ types: [context.input(0), { ...context.input(0), dtype: 'bool' }] }),
  Cast: (context) => {
    const dtype = dataTypeOf(intAttribute(context.node, 'to', 1), `node '${context.node.name}'`);
    const integers = dtype === 'int64' || dtype === 'int32' ? context.integers(0) : undefined;
    return { types: [{ ...context.input(0), dtype }], integers };
  },
};
