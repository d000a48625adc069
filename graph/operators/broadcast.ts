import { ModelError } from '../../errors.ts';
import { reduceSum } from '../expressions.ts';
import { type DataType, type Dim, int, type ValueType } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
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

/** The type of a broadcasting operator's output. */
export function broadcastType(context: ShapeContext, dtype: DataType): ValueType {
  try {
    return { dtype, shape: broadcastShapes(...context.node.inputs.map((_, i) => context.input(i).shape)) };
  } catch (error) {
    throw context.fail((error as Error).message);
  }
}

/** The shape rule of a broadcasting operator whose output has the type of its first input. */
export const broadcast: ShapeRule = (context) => same(broadcastType(context, context.input(0).dtype));

/**
 * Sums a gradient over the axes along which its value was broadcast, so that it gets the value's own shape again.
 * Axes whose sizes are symbolic and spelled differently are decided when the graph runs.
 */
export function unbroadcast(b: GraphWriter, gradient: string, value: string): string {
  const from = b.shape(gradient);
  const to = b.shape(value);
  const added = from.length - to.length;
  const summed = from.flatMap((dim, axis) => (axis < added || (to[axis - added] === 1 && dim !== 1) ? [axis] : []));
  const undecided = to.some((dim, axis) => dim !== 1 && dim !== from[axis + added]);
  if (undecided) return unbroadcastAtRunTime(b, gradient, value);
  if (summed.length === 0) return gradient;
  const onlyLeading = summed.length === added && summed.every((axis) => axis < added);
  if (onlyLeading) return reduceSum(b, gradient, summed, false);
  const kept = reduceSum(b, gradient, summed);
  return added === 0 ? kept : b.op('Reshape', [kept, b.shapeOf(value)]);
}

function unbroadcastAtRunTime(b: GraphWriter, gradient: string, value: string): string {
  const rank = b.rank(gradient);
  const ones = b.axes(Array.from({ length: rank - b.rank(value) }, () => 1));
  const padded = rank === b.rank(value) ? b.shapeOf(value) : b.op('Concat', [ones, b.shapeOf(value)], { axis: int(0) });
  const broadcast = b.op('Not', [b.op('Equal', [padded, b.shapeOf(gradient)])]);
  const axes = b.op('Squeeze', [b.op('NonZero', [broadcast]), b.axes([0])]);
  const summed = b.op('ReduceSum', [gradient, axes], { keepdims: int(1), noop_with_empty_axes: int(1) });
  return b.op('Reshape', [summed, b.shapeOf(value)]);
}
