import { float, floatAttribute, stringAttribute } from '../ir.ts';
import { add, type GradientContext, type GradientRule, mul, scale, sub, unaryRule } from './rule.ts';

/**
 * 1 where v > 0, else 0. A HardSigmoid so steep that it is a step for every normal float32 costs less than half of Greater + Cast:
 * one operator over the tensor, and no bool tensor in between.
 */
function step({ b }: GradientContext, v: string): string {
  return b.op('HardSigmoid', [v], { alpha: float(1e38), beta: float(0) });
}

/** dy where x > 0, dy · negative(…) elsewhere. */
function piecewise(context: GradientContext, negative: string): string {
  const { b, x, dy } = context;
  return mul(b, dy, b.op('Where', [b.op('Greater', [x(0), b.scalar(0)]), b.scalar(1), negative]));
}

const oneMinusSquare = ({ b, y }: GradientContext) => sub(b, b.scalar(1), mul(b, y(), y()));

/** d/dx of x·Φ(x) (exact) or of its tanh approximation. */
function geluSlope(context: GradientContext): string {
  const { b, x, node } = context;
  const input = x(0);
  if (stringAttribute(node, 'approximate', 'none') === 'tanh') {
    const square = mul(b, input, input);
    const inner = mul(b, scale(b, input, Math.sqrt(2 / Math.PI)), add(b, b.scalar(1), scale(b, square, 0.044715)));
    const tanh = b.op('Tanh', [inner]);
    const slope = scale(b, add(b, b.scalar(1), scale(b, square, 3 * 0.044715)), Math.sqrt(2 / Math.PI));
    const curve = mul(b, mul(b, input, sub(b, b.scalar(1), mul(b, tanh, tanh))), slope);
    return scale(b, add(b, add(b, b.scalar(1), tanh), curve), 0.5);
  }
  const cumulative = scale(b, add(b, b.scalar(1), b.op('Erf', [scale(b, input, Math.SQRT1_2)])), 0.5);
  const density = scale(b, b.op('Exp', [scale(b, mul(b, input, input), -0.5)]), 1 / Math.sqrt(2 * Math.PI));
  return add(b, cumulative, mul(b, input, density));
}

export const activationRules: readonly GradientRule[] = [
  unaryRule('Relu', ['y0'], (c) => mul(c.b, c.dy, step(c, c.y()))),
  unaryRule('LeakyRelu', ['x0'], (c) => piecewise(c, c.b.scalar(floatAttribute(c.node, 'alpha', 0.01)))),
  unaryRule('Elu', ['x0', 'y0'], (c) => piecewise(c, add(c.b, c.y(), c.b.scalar(floatAttribute(c.node, 'alpha', 1))))),
  unaryRule('Sigmoid', ['y0'], ({ b, y, dy }) => mul(b, dy, mul(b, y(), sub(b, b.scalar(1), y())))),
  unaryRule('Tanh', ['y0'], (c) => mul(c.b, c.dy, oneMinusSquare(c))),
  unaryRule('Softplus', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sigmoid', [x(0)]))),
  unaryRule('Softsign', ['x0'], ({ b, x, dy }) => {
    const denominator = add(b, b.scalar(1), b.op('Abs', [x(0)]));
    return b.op('Div', [dy, mul(b, denominator, denominator)]);
  }),
  unaryRule('Erf', ['x0'], ({ b, x, dy }) => {
    const density = b.op('Exp', [b.op('Neg', [mul(b, x(0), x(0))])]);
    return mul(b, dy, scale(b, density, 2 / Math.sqrt(Math.PI)));
  }),
  unaryRule('Gelu', ['x0'], (c) => mul(c.b, c.dy, geluSlope(c))),
];
