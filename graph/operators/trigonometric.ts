import { add, div, mul, neg, sub } from '../expressions.ts';
import { type Operator, unary } from './operator.ts';

export const trigonometricOperators: readonly Operator[] = [
  unary('Sin', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Cos', [x(0)]))),
  unary('Cos', ['x0'], ({ b, x, dy }) => neg(b, mul(b, dy, b.op('Sin', [x(0)])))),
  unary('Tan', ['y0'], ({ b, y, dy }) => mul(b, dy, add(b, b.scalar(1), mul(b, y(), y())))),
  unary('Asin', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [sub(b, b.scalar(1), mul(b, x(0), x(0)))]))),
  unary('Acos', ['x0'], ({ b, x, dy }) => neg(b, div(b, dy, b.op('Sqrt', [sub(b, b.scalar(1), mul(b, x(0), x(0)))])))),
  unary('Atan', ['x0'], ({ b, x, dy }) => div(b, dy, add(b, b.scalar(1), mul(b, x(0), x(0))))),
  unary('Sinh', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Cosh', [x(0)]))),
  unary('Cosh', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sinh', [x(0)]))),
  unary('Asinh', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [add(b, mul(b, x(0), x(0)), b.scalar(1))]))),
  unary('Acosh', ['x0'], ({ b, x, dy }) => div(b, dy, b.op('Sqrt', [sub(b, mul(b, x(0), x(0)), b.scalar(1))]))),
  unary('Atanh', ['x0'], ({ b, x, dy }) => div(b, dy, sub(b, b.scalar(1), mul(b, x(0), x(0))))),
];
