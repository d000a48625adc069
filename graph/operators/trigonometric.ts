import { add, div, mul, neg, sub } from '../expressions.ts';
import { type GradientRule, unaryRule } from './operator.ts';

export const trigonometricRules: readonly GradientRule[] = [
  unaryRule('Sin', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Cos', [x(0)]))),
  unaryRule('Cos', ['x0'], ({ b, x, dy }) => neg(b, mul(b, dy, b.op('Sin', [x(0)])))),
  unaryRule('Tan', ['y0'], ({ b, y, dy }) => mul(b, dy, add(b, b.scalar(1), mul(b, y(), y())))),
  unaryRule('Asin', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [sub(b, b.scalar(1), mul(b, x(0), x(0)))]))),
  unaryRule('Acos', ['x0'], ({ b, x, dy }) =>
    neg(b, div(b, dy, b.op('Sqrt', [sub(b, b.scalar(1), mul(b, x(0), x(0)))]))),
  ),
  unaryRule('Atan', ['x0'], ({ b, x, dy }) => div(b, dy, add(b, b.scalar(1), mul(b, x(0), x(0))))),
  unaryRule('Sinh', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Cosh', [x(0)]))),
  unaryRule('Cosh', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sinh', [x(0)]))),
  unaryRule('Asinh', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [add(b, mul(b, x(0), x(0)), b.scalar(1))]))),
  unaryRule('Acosh', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [sub(b, mul(b, x(0), x(0)), b.scalar(1))]))),
  unaryRule('Atanh', ['x0'], ({ b, x, dy }) => div(b, dy, sub(b, b.scalar(1), mul(b, x(0), x(0))))),
];
