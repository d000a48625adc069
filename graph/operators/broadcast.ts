import { reduceSum } from '../expressions.ts';
import { int } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';

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
