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

/** What a Gelu is made of. */
export interface GeluParts {
  /** Φ(x), which x is multiplied with. */
  readonly cumulative: string;
  /** d/dx of x·Φ(x), which is Φ(x) + x·Φ′(x). */
  readonly slope: string;
}

/**
 * The forward pass shares these with the gradient (rewrites/shared-gelu.ts).
 * @param approximate the operator's attribute: `none` or `tanh`
 */
export function geluParts(b: GraphWriter, x: string, approximate: string): GeluParts {
  return approximate === 'tanh' ? tanhGelu(b, x) : exactGelu(b, x);
}

/** Beyond these bounds the tanh form's slope is 0 or 1 in float32, and powers of x overflow. */
export const tanhGeluBounds = [-10, 10] as const;

/** With v = √(2/π)·(x + 0.044715·x³): Φ(x) = (1 + tanh v) / 2, and Φ′(x) = 2·Φ(x)·(1 − Φ(x))·v′. */
function tanhGelu(b: GraphWriter, x: string): GeluParts {
  const [linear, cubic] = [Math.sqrt(2 / Math.PI), 0.044715 * Math.sqrt(2 / Math.PI)];
  const u = b.op('Clip', [x, ...tanhGeluBounds.map((bound) => b.scalar(bound))]);
  const square = mul(b, u, u);
  const v = mul(b, u, add(b, scale(b, square, cubic), b.scalar(linear)));
  const cumulative = halfOfOneMore(b, b.op('Tanh', [v]));
  const bend = mul(b, u, add(b, scale(b, square, 6 * cubic), b.scalar(2 * linear)));
  const steepness = mul(b, cumulative, sub(b, b.scalar(1), cumulative));
  return { cumulative, slope: add(b, cumulative, mul(b, bend, steepness)) };
}

/** With u = x / √2: Φ(x) = (1 + erf u) / 2, and x·Φ′(x) = u · exp(−u²) / √π, the root taken into the exponent. */
function exactGelu(b: GraphWriter, x: string): GeluParts {
  const u = scale(b, x, Math.SQRT1_2);
  const cumulative = halfOfOneMore(b, b.op('Erf', [u]));
  const bell = b.op('Exp', [sub(b, b.scalar(Math.log(1 / Math.sqrt(Math.PI))), mul(b, u, u))]);
  return { cumulative, slope: add(b, cumulative, mul(b, u, bell)) };
}

/** (1 + v) / 2 for v between −1 and 1, in one pass. */
function halfOfOneMore(b: GraphWriter, v: string): string {
  return b.op('HardSigmoid', [v], { alpha: float(0.5), beta: float(0.5) });
}

const geluSlope = ({ b, x, node }: GradientContext): string =>
  geluParts(b, x(0), stringAttribute(node, 'approximate', 'none')).slope;

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
