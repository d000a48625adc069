import { add, mul, scale, sub } from '../expressions.ts';
import { float, floatAttribute, stringAttribute } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { unbroadcast } from './broadcast.ts';
import { elementwise, type GradientContext, type Gradients, type Operator, unary } from './operator.ts';
import { like } from './shape-rule.ts';

/**
 * 1 where v > 0, else 0. A HardSigmoid so steep that it is a step for every normal float32 costs less than half of Greater + Cast:
 * one operator over the tensor, and no bool tensor in between.
 */
function step({ b }: GradientContext, v: string): string {
  return b.op('HardSigmoid', [v], { alpha: float(1e38), beta: float(0) });
}

/** dy · positive where x > 0, dy · negative elsewhere. */
function piecewise({ b, x, dy }: GradientContext, negative: string, positive = 1): string {
  return mul(b, dy, b.op('Where', [b.op('Greater', [x(0), b.scalar(0)]), b.scalar(positive), negative]));
}

/** A learned slope for negative inputs, broadcast over them. */
function preluGradients({ b, x, dy, needs }: GradientContext): Gradients {
  const positive = b.op('Greater', [x(0), b.scalar(0)]);
  const slope = () => b.op('Where', [positive, b.scalar(1), x(1)]);
  return [
    needs(0) ? mul(b, dy, slope()) : undefined,
    needs(1) ? unbroadcast(b, mul(b, dy, b.op('Min', [x(0), b.scalar(0)])), x(1)) : undefined,
  ];
}

/** `slope` strictly between the two saturated ends of a value, 0 on them. */
function between({ b }: GradientContext, value: string, low: number, high: number, slope: string): string {
  const inside = b.op('And', [b.op('Greater', [value, b.scalar(low)]), b.op('Less', [value, b.scalar(high)])]);
  return b.op('Where', [inside, slope, b.scalar(0)]);
}

/** d/dx of x · clip(x / 6 + 1 / 2, 0, 1): x / 3 + 1 / 2 between −3 and 3, then 1. */
function hardSwishSlope(context: GradientContext): string {
  const { b, x } = context;
  const ramp = between(context, x(0), -3, 3, add(b, scale(b, x(0), 1 / 3), b.scalar(0.5)));
  return b.op('Where', [b.op('GreaterOrEqual', [x(0), b.scalar(3)]), b.scalar(1), ramp]);
}

/** d/dx of x · tanh(softplus(x)). */
function mishSlope({ b, x }: GradientContext): string {
  const tanh = b.op('Tanh', [b.op('Softplus', [x(0)])]);
  const curve = mul(b, sub(b, b.scalar(1), mul(b, tanh, tanh)), b.op('Sigmoid', [x(0)]));
  return add(b, tanh, mul(b, x(0), curve));
}

/** The constants of self-normalising networks (Klambauer et al. 2017), the operator's defaults. */
const selu = { alpha: 1.6732632423543772, gamma: 1.0507009873554805 };

const oneMinusSquare = ({ b, y }: GradientContext) => sub(b, b.scalar(1), mul(b, y(), y()));

/** d/dx of x·Φ(x) (exact) or of its tanh approximation. */
function geluSlope(context: GradientContext): string {
  const { b, x, node } = context;
  if (stringAttribute(node, 'approximate', 'none') === 'tanh') {
    // Beyond 10 the slope is 0 or 1 in float32, and powers of x overflow.
    const input = b.op('Clip', [x(0), b.scalar(-10), b.scalar(10)]);
    const square = mul(b, input, input);
    const inner = mul(b, scale(b, input, Math.sqrt(2 / Math.PI)), add(b, b.scalar(1), scale(b, square, 0.044715)));
    const tanh = b.op('Tanh', [inner]);
    const slope = scale(b, add(b, b.scalar(1), scale(b, square, 3 * 0.044715)), Math.sqrt(2 / Math.PI));
    const curve = mul(b, mul(b, input, sub(b, b.scalar(1), mul(b, tanh, tanh))), slope);
    return scale(b, add(b, add(b, b.scalar(1), tanh), curve), 0.5);
  }
  return exactGelu(b, x(0)).slope;
}

/** Φ(x), which an exact Gelu multiplies x with, and its slope Φ(x) + x·φ(x). The forward pass shares them (rewrites/shared-gelu.ts). */
export function exactGelu(b: GraphWriter, x: string): { readonly cumulative: string; readonly slope: string } {
  // With u = x / √2: Φ(x) = (1 + erf u) / 2, and x·φ(x) = u · exp(−u²) / √π, the root taken into the exponent.
  const u = scale(b, x, Math.SQRT1_2);
  const cumulative = b.op('HardSigmoid', [b.op('Erf', [u])], { alpha: float(0.5), beta: float(0.5) });
  const bell = b.op('Exp', [sub(b, b.scalar(Math.log(1 / Math.sqrt(Math.PI))), mul(b, u, u))]);
  return { cumulative, slope: add(b, cumulative, mul(b, u, bell)) };
}

export const activationOperators: readonly Operator[] = elementwise(
  [
    unary('Relu', ['y0'], (c) => mul(c.b, c.dy, step(c, c.y()))),
    unary('LeakyRelu', ['x0'], (c) => piecewise(c, c.b.scalar(floatAttribute(c.node, 'alpha', 0.01)))),
    unary('Elu', ['x0', 'y0'], (c) => piecewise(c, add(c.b, c.y(), c.b.scalar(floatAttribute(c.node, 'alpha', 1))))),
    { op: 'PRelu', infer: like(0), gradient: { reads: ['x0', 'x1'], write: preluGradients } },
    unary('Selu', ['x0', 'y0'], (c) => {
      const gamma = floatAttribute(c.node, 'gamma', selu.gamma);
      const offset = gamma * floatAttribute(c.node, 'alpha', selu.alpha);
      return piecewise(c, add(c.b, c.y(), c.b.scalar(offset)), gamma);
    }),
    unary('Celu', ['x0', 'y0'], (c) => {
      const inverse = 1 / floatAttribute(c.node, 'alpha', 1);
      return piecewise(c, add(c.b, scale(c.b, c.y(), inverse), c.b.scalar(1)));
    }),
    unary('ThresholdedRelu', ['x0'], (c) => {
      const passed = c.b.op('Greater', [c.x(0), c.b.scalar(floatAttribute(c.node, 'alpha', 1))]);
      return c.b.op('Where', [passed, c.dy, c.b.scalar(0)]);
    }),
    unary('HardSigmoid', ['y0'], (c) =>
      between(c, c.y(), 0, 1, scale(c.b, c.dy, floatAttribute(c.node, 'alpha', 0.2))),
    ),
    unary('HardSwish', ['x0'], (c) => mul(c.b, c.dy, hardSwishSlope(c))),
    unary('Mish', ['x0'], (c) => mul(c.b, c.dy, mishSlope(c))),
    unary('Sigmoid', ['y0'], ({ b, y, dy }) => mul(b, dy, mul(b, y(), sub(b, b.scalar(1), y())))),
    unary('Tanh', ['y0'], (c) => mul(c.b, c.dy, oneMinusSquare(c))),
    unary('Softplus', ['x0'], ({ b, x, dy }) => mul(b, dy, b.op('Sigmoid', [x(0)]))),
    unary('Softsign', ['x0'], ({ b, x, dy }) => {
      const denominator = add(b, b.scalar(1), b.op('Abs', [x(0)]));
      return b.op('Div', [dy, mul(b, denominator, denominator)]);
    }),
    unary('Erf', ['x0'], ({ b, x, dy }) => {
      const density = b.op('Exp', [b.op('Neg', [mul(b, x(0), x(0))])]);
      return mul(b, dy, scale(b, density, 2 / Math.sqrt(Math.PI)));
    }),
    unary('Gelu', ['x0'], (c) => mul(c.b, c.dy, geluSlope(c))),
    {
      op: 'Swish',
      decomposition: {
        into: 'x · sigmoid(α x)',
        write: (b, node, inputs) => {
          const x = inputs[0]!;
          const alpha = floatAttribute(node, 'alpha', 1);
          return mul(b, x, b.op('Sigmoid', [alpha === 1 ? x : scale(b, x, alpha)]));
        },
      },
    },
  ],
  ['Elu', 'Selu', 'Celu', 'Softplus', 'Mish', 'Swish'],
);
