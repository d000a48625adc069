import { add, div, mul, neg, scale, sub } from '../expressions.ts';
import { unbroadcast } from './broadcast.ts';
import { type GradientContext, type GradientRule, type Gradients, unaryRule } from './operator.ts';

/** Gradients of a broadcasting operator from those of its already broadcast operands. */
function broadcasting(context: GradientContext, gradients: readonly (() => string)[]): Gradients {
  return gradients.map((gradient, i) =>
    context.needs(i) ? unbroadcast(context.b, gradient(), context.x(i)) : undefined,
  );
}

/** 1 where the condition holds, else 0, in the gradient's type. */
function indicator({ b }: GradientContext, condition: string): string {
  return b.op('Cast', [condition], { to: { kind: 'int', value: 1 } });
}

/** Max and Min: the gradient goes to the extreme operand; equal ones share it. */
function extreme(op: 'Max' | 'Min'): GradientRule {
  return {
    op,
    reads: ['x', 'y0'],
    gradient: (context) => {
      const { b, node, dy } = context;
      const hits = node.inputs.map((x) => indicator(context, b.op('Equal', [x, context.y()])));
      const count = hits.reduce((sum, hit) => add(b, sum, hit));
      return broadcasting(
        context,
        hits.map((hit) => () => mul(b, div(b, dy, count), hit)),
      );
    },
  };
}

export const arithmeticRules: readonly GradientRule[] = [
  { op: 'Add', reads: [], gradient: (c) => broadcasting(c, [() => c.dy, () => c.dy]) },
  { op: 'Sub', reads: [], gradient: (c) => broadcasting(c, [() => c.dy, () => neg(c.b, c.dy)]) },
  {
    op: 'Mul',
    reads: ['x0', 'x1'],
    gradient: (c) => broadcasting(c, [() => mul(c.b, c.dy, c.x(1)), () => mul(c.b, c.dy, c.x(0))]),
  },
  {
    op: 'Div',
    reads: ['x1', 'y0'],
    gradient: (c) =>
      broadcasting(c, [() => div(c.b, c.dy, c.x(1)), () => neg(c.b, div(c.b, mul(c.b, c.dy, c.y()), c.x(1)))]),
  },
  {
    op: 'Pow',
    reads: ['x0', 'x1', 'y0'],
    gradient: (c) => {
      const { b, dy } = c;
      const exponent =
        b.type(c.x(1)).dtype === 'float32' ? c.x(1) : b.op('Cast', [c.x(1)], { to: { kind: 'int', value: 1 } });
      return broadcasting(c, [
        () => mul(b, dy, mul(b, exponent, b.op('Pow', [c.x(0), sub(b, exponent, b.scalar(1))]))),
        () => mul(b, dy, mul(b, c.y(), b.op('Log', [c.x(0)]))),
      ]);
    },
  },
  {
    op: 'Mod',
    reads: ['x0', 'x1'],
    gradient: (c) => {
      // x − trunc(x / m) · m, the sign of x kept (fmod), which is all that the operator does with floats.
      const rounded = () => {
        const quotient = div(c.b, c.x(0), c.x(1));
        return mul(c.b, c.b.op('Sign', [quotient]), c.b.op('Floor', [c.b.op('Abs', [quotient])]));
      };
      return broadcasting(c, [() => c.dy, () => neg(c.b, mul(c.b, c.dy, rounded()))]);
    },
  },
  extreme('Max'),
  extreme('Min'),
  {
    op: 'Sum',
    reads: [],
    gradient: (c) =>
      broadcasting(
        c,
        c.node.inputs.map(() => () => c.dy),
      ),
  },
  {
    op: 'Mean',
    reads: [],
    gradient: (c) =>
      broadcasting(
        c,
        c.node.inputs.map(() => () => scale(c.b, c.dy, 1 / c.node.inputs.length)),
      ),
  },
  unaryRule('Neg', [], ({ b, dy }) => neg(b, dy)),
  unaryRule('Abs', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sign', [x(0)]))),
  unaryRule('Sqrt', ['y0'], ({ b, y, dy }) => div(b, scale(b, dy, 0.5), y())),
  unaryRule('Reciprocal', ['y0'], ({ b, y, dy }) => neg(b, mul(b, dy, mul(b, y(), y())))),
  unaryRule('Exp', ['y0'], ({ b, y, dy }) => mul(b, dy, y())),
  unaryRule('Log', ['x0'], ({ b, x, dy }) => div(b, dy, x(0))),
  {
    op: 'Where',
    reads: ['x0'],
    gradient: (c) => {
      const zero = c.b.scalar(0);
      const chosen = [() => c.b.op('Where', [c.x(0), c.dy, zero]), () => c.b.op('Where', [c.x(0), zero, c.dy])];
      return [
        undefined,
        ...chosen.map((gradient, i) => (c.needs(i + 1) ? unbroadcast(c.b, gradient(), c.x(i + 1)) : undefined)),
      ];
    },
  },
  {
    op: 'Clip',
    reads: ['x0', 'x1', 'x2'],
    gradient: (c) => {
      const { b } = c;
      const inside = (['GreaterOrEqual', 'LessOrEqual'] as const).flatMap((test, i) => {
        const bound = c.node.inputs[i + 1];
        return bound ? [indicator(c, b.op(test, [c.x(0), bound]))] : [];
      });
      return [inside.reduce((gradient, mask) => mul(b, gradient, mask), c.dy)];
    },
  },
];
