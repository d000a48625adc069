import { subtractDims } from '../dims.ts';
import { add, div, mul, neg, scale, sub } from '../expressions.ts';
import { broadcast, unbroadcast } from './broadcast.ts';
import { clipKnown, eachKnown, eachKnownNumber, knownArithmetic, roundHalfToEven } from './known-numbers.ts';
import {
  elementwise,
  type ForwardValue,
  type GradientContext,
  type GradientRule,
  gradientOfFirst,
  type Operator,
  unary,
} from './operator.ts';
import { elementByElement, onlyFirstDiffers } from './over-clients.ts';
import { like } from './shape-rule.ts';

/** The rule of a broadcasting operator, from the gradients of its already broadcast operands. */
function ofOperands(
  reads: readonly ForwardValue[],
  gradients: (context: GradientContext) => readonly (() => string)[],
): GradientRule {
  const write = (context: GradientContext) =>
    gradients(context).map((gradient, i) =>
      context.needs(i) ? unbroadcast(context.b, gradient(), context.x(i)) : undefined,
    );
  return { reads, write };
}

/** 1 where the condition holds, else 0, in the gradient's type. */
function indicator({ b }: GradientContext, condition: string): string {
  return b.op('Cast', [condition], { to: { kind: 'int', value: 1 } });
}

function powerGradients({ b, x, y, dy }: GradientContext): readonly (() => string)[] {
  const exponent = b.type(x(1)).dtype === 'float32' ? x(1) : b.op('Cast', [x(1)], { to: { kind: 'int', value: 1 } });
  return [
    () => mul(b, dy, mul(b, exponent, b.op('Pow', [x(0), sub(b, exponent, b.scalar(1))]))),
    () => mul(b, dy, mul(b, y(), b.op('Log', [x(0)]))),
  ];
}

/** x − trunc(x / m) · m, the sign of x kept (fmod), which is all that the operator does with floats. */
function remainderGradients({ b, x, dy }: GradientContext): readonly (() => string)[] {
  const rounded = () => {
    const quotient = div(b, x(0), x(1));
    return mul(b, b.op('Sign', [quotient]), b.op('Floor', [b.op('Abs', [quotient])]));
  };
  return [() => dy, () => neg(b, mul(b, dy, rounded()))];
}

/** Max and Min: the gradient goes to the extreme operand; equal ones share it. */
function extremeGradients(context: GradientContext): readonly (() => string)[] {
  const { b, node, y, dy } = context;
  const hits = node.inputs.map((x) => indicator(context, b.op('Equal', [x, y()])));
  const count = hits.reduce((sum, hit) => add(b, sum, hit));
  return hits.map((hit) => () => mul(b, div(b, dy, count), hit));
}

/** Nothing flows back to the bounds. */
function clipGradient(context: GradientContext): string {
  const { b, node, x, dy } = context;
  const inside = (['GreaterOrEqual', 'LessOrEqual'] as const).flatMap((test, i) => {
    const bound = node.inputs[i + 1];
    return bound ? [indicator(context, b.op(test, [x(0), bound]))] : [];
  });
  return inside.reduce((gradient, mask) => mul(b, gradient, mask), dy);
}

export const arithmeticOperators: readonly Operator[] = elementwise(
  [
    { op: 'Add', infer: knownArithmetic.add, gradient: ofOperands([], ({ dy }) => [() => dy, () => dy]) },
    {
      op: 'Sub',
      infer: knownArithmetic.subtract,
      gradient: ofOperands([], ({ b, dy }) => [() => dy, () => neg(b, dy)]),
    },
    {
      op: 'Mul',
      infer: knownArithmetic.multiply,
      gradient: ofOperands(['x0', 'x1'], ({ b, x, dy }) => [() => mul(b, dy, x(1)), () => mul(b, dy, x(0))]),
    },
    {
      op: 'Div',
      infer: knownArithmetic.divide,
      gradient: ofOperands(['x1', 'y0'], ({ b, x, y, dy }) => [
        () => div(b, dy, x(1)),
        () => neg(b, div(b, mul(b, dy, y()), x(1))),
      ]),
    },
    { op: 'Pow', infer: broadcast, gradient: ofOperands(['x0', 'x1', 'y0'], powerGradients) },
    { op: 'Mod', infer: knownArithmetic.remainder, gradient: ofOperands(['x0', 'x1'], remainderGradients) },
    { op: 'Max', infer: knownArithmetic.largest, gradient: ofOperands(['x', 'y0'], extremeGradients) },
    { op: 'Min', infer: knownArithmetic.smallest, gradient: ofOperands(['x', 'y0'], extremeGradients) },
    { op: 'Sum', infer: broadcast, gradient: ofOperands([], ({ node, dy }) => node.inputs.map(() => () => dy)) },
    {
      op: 'Mean',
      infer: broadcast,
      gradient: ofOperands([], ({ b, node, dy }) => node.inputs.map(() => () => scale(b, dy, 1 / node.inputs.length))),
    },
    {
      op: 'Neg',
      infer: eachKnown((value) => (typeof value === 'number' ? -value : subtractDims(0, value))),
      gradient: gradientOfFirst([], ({ b, dy }) => neg(b, dy)),
    },
    {
      op: 'Abs',
      // Exporters write sizes of which −1 means "as it is", the size 1 of an Expand, through Abs; symbolic sizes are positive.
      infer: eachKnown((value) => (typeof value === 'number' ? Math.abs(value) : value)),
      gradient: gradientOfFirst(['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sign', [x(0)]))),
    },
    unary('Sqrt', ['y0'], ({ b, y, dy }) => div(b, scale(b, dy, 0.5), y())),
    unary('Reciprocal', ['y0'], ({ b, y, dy }) => neg(b, mul(b, dy, mul(b, y(), y())))),
    unary('Exp', ['y0'], ({ b, y, dy }) => mul(b, dy, y())),
    unary('Log', ['x0'], ({ b, x, dy }) => div(b, dy, x(0))),
    {
      op: 'Clip',
      infer: clipKnown,
      gradient: gradientOfFirst(['x0', 'x1', 'x2'], clipGradient),
      attributesMadeInputs: [
        ['min', 1],
        ['max', 2],
      ],
      // The bounds are scalars.
      overClients: (context) => (onlyFirstDiffers(context) ? elementByElement(context) : undefined),
    },
    { op: 'Sign', infer: like(0), gradient: 'zero' },
    { op: 'Floor', infer: eachKnownNumber(Math.floor), gradient: 'zero' },
    { op: 'Ceil', infer: eachKnownNumber(Math.ceil), gradient: 'zero' },
    { op: 'Round', infer: eachKnownNumber(roundHalfToEven), gradient: 'zero' },
  ],
  ['Log'],
);
