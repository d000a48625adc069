import { mul, sub } from '../expressions.ts';
import { type Dim, intAttribute, isFilled } from '../ir.ts';
import { unbroadcast } from './broadcast.ts';
import type { GradientContext, Gradients, Operator } from './operator.ts';
import { like, type ShapeRule } from './shape-rule.ts';

/** The normalised values, then the mean and the inverse deviation. */
const layerNormTypes: ShapeRule = (context) => {
  const type = context.input(0);
  const rank = type.shape.length;
  const axis = intAttribute(context.node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const statistics = { dtype: type.dtype, shape: type.shape.map((dim, i): Dim => (i >= from ? 1 : dim)) };
  return { types: [type, statistics, statistics] };
};

/**
 * y = (x − mean) · inverse · scale + bias over the axes from `axis` on. With x̂ the normalised input and d = dy · scale:
 * dx = inverse · (d − mean(d) − x̂ · mean(d · x̂)). Reads the mean and the inverse deviation that the forward node puts out. Without scale and bias, x̂ is y itself.
 */
function layerNormGradients({ b, node, x, dy, needs }: GradientContext): Gradients {
  const [, mean, inverse] = node.outputs;
  const rank = b.rank(x(0));
  const axis = intAttribute(node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = b.axes(Array.from({ length: rank - from }, (_, i) => from + i));
  const average = (value: string) => b.op('ReduceMean', [value, axes]);
  const plain = node.inputs[2] ? false : isFilled(b.constantTensor(x(1)), 1);
  const normalised = plain ? node.outputs[0]! : mul(b, sub(b, x(0), mean!), inverse!);
  const inputGradient = () => {
    const d = plain ? dy : mul(b, dy, x(1));
    const correction = mul(b, normalised, average(mul(b, d, normalised)));
    return mul(b, inverse!, sub(b, sub(b, d, average(d)), correction));
  };
  return [
    needs(0) ? inputGradient() : undefined,
    needs(1) ? unbroadcast(b, mul(b, dy, normalised), x(1)) : undefined,
    needs(2) ? unbroadcast(b, dy, x(2)) : undefined,
  ];
}

export const normalisationOperators: readonly Operator[] = [
  {
    op: 'LayerNormalization',
    infer: layerNormTypes,
    gradient: { reads: ['x0', 'x1', 'y1', 'y2'], write: layerNormGradients },
  },
  { op: 'GroupNormalization', infer: like(0) },
];
