import type { Dim } from '../ir.ts';
import { broadcast, broadcastType, unbroadcast } from './broadcast.ts';
import { elementwise, type GradientContext, type Gradients, type Operator } from './operator.ts';
import { like, type ShapeRule, same } from './shape-rule.ts';

/** Equal is also decided on known integers: exporters compare target shapes with −1. A symbolic size is never negative. */
const equalType: ShapeRule = (context) => {
  const type = broadcastType(context, 'bool');
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
const whereType: ShapeRule = (context) => {
  const type = broadcastType(context, context.input(1).dtype);
  const [condition, yes, no] = [context.integers(0), context.integers(1), context.integers(2)];
  if (!condition || !yes || !no || type.shape.length > 1) return same(type);
  const length = Math.max(condition.length, yes.length, no.length);
  const at = (values: readonly Dim[], i: number) => values[values.length === 1 ? 0 : i]!;
  const integers = Array.from({ length }, (_, i) => (at(condition, i) === 0 ? at(no, i) : at(yes, i)));
  return { types: [type], integers };
};

const comparisonType: ShapeRule = (context) => same(broadcastType(context, 'bool'));

const testType: ShapeRule = (context) => same({ ...context.input(0), dtype: 'bool' });

/** The branch that was taken gets the gradient. */
function whereGradients({ b, x, dy, needs }: GradientContext): Gradients {
  const zero = b.scalar(0);
  const taken = [() => b.op('Where', [x(0), dy, zero]), () => b.op('Where', [x(0), zero, dy])];
  return [undefined, ...taken.map((gradient, i) => (needs(i + 1) ? unbroadcast(b, gradient(), x(i + 1)) : undefined))];
}

/** Comparisons, logic on their results and on bits, and the choice between values by them. */
export const logicOperators: readonly Operator[] = elementwise([
  { op: 'Where', infer: whereType, gradient: { reads: ['x0'], write: whereGradients } },
  { op: 'Equal', infer: equalType, gradient: 'zero' },
  { op: 'Greater', infer: comparisonType, gradient: 'zero' },
  { op: 'GreaterOrEqual', infer: comparisonType, gradient: 'zero' },
  { op: 'Less', infer: comparisonType, gradient: 'zero' },
  { op: 'LessOrEqual', infer: comparisonType, gradient: 'zero' },
  { op: 'And', infer: comparisonType, gradient: 'zero' },
  { op: 'Or', infer: comparisonType, gradient: 'zero' },
  { op: 'Xor', infer: comparisonType, gradient: 'zero' },
  { op: 'Not', infer: like(0), gradient: 'zero' },
  { op: 'IsNaN', infer: testType, gradient: 'zero' },
  { op: 'IsInf', infer: testType, gradient: 'zero' },
  // Written by dropout, on its random bits.
  { op: 'BitShift', infer: broadcast },
  { op: 'BitwiseXor', infer: broadcast },
]);
