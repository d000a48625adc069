import { type Dim, intAttribute } from '../ir.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

/** Axes of a reduction in canonical form (second input); all of them when there is none. */
export function reductionAxes(axes: readonly number[] | undefined, rank: number, noopWhenEmpty: boolean): number[] {
  if (!axes || axes.length === 0) return noopWhenEmpty ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((axis) => normaliseAxis(axis, rank));
}

function reducedShape(context: ShapeContext): Dim[] {
  const { shape } = context.input(0);
  const keep = intAttribute(context.node, 'keepdims', 1) === 1;
  // Axes found when the graph runs leave the rank known, and nothing else.
  if (keep && context.hasInput(1) && !context.integers(1))
    return shape.map((_, i) => `${context.node.outputs[0]}_${i}`);
  const given = context.hasInput(1) ? context.numbers(1, 'the axes') : undefined;
  const axes = new Set(reductionAxes(given, shape.length, intAttribute(context.node, 'noop_with_empty_axes', 0) === 1));
  return keep ? shape.map((dim, axis) => (axes.has(axis) ? 1 : dim)) : shape.filter((_, axis) => !axes.has(axis));
}

const reduction: ShapeRule = (context) => {
  const type = { dtype: context.input(0).dtype, shape: reducedShape(context) };
  const values = context.integers(0);
  // The number of elements, as exporters compute it: ReduceProd of a Shape.
  if (
    context.node.op === 'ReduceProd' &&
    values?.every((value) => typeof value === 'number') &&
    type.shape.length === 0
  ) {
    return { types: [type], integers: [(values as number[]).reduce((a, b) => a * b, 1)] };
  }
  return same(type);
};

const indexOfExtreme: ShapeRule = (context) => {
  const { shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), shape.length);
  const keep = intAttribute(context.node, 'keepdims', 1) === 1;
  const result = keep ? shape.map((dim, i) => (i === axis ? 1 : dim)) : shape.filter((_, i) => i !== axis);
  return same({ dtype: 'int64', shape: result });
};

const names = 'Sum Mean Max Min L1 L2 LogSumExp LogSum SumSquare Prod';

export const reductionShapes: Record<string, ShapeRule> = {
  ...Object.fromEntries(names.split(' ').map((name) => [`Reduce${name}`, reduction])),
  ArgMax: indexOfExtreme,
  ArgMin: indexOfExtreme,
  CumSum: (context) => same(context.input(0)),
};
