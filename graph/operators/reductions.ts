import { div, mul, reduceSum, scale } from '../expressions.ts';
import { type Dim, int, intAttribute, ints } from '../ir.ts';
import { type ForwardValue, type GradientContext, gradientOfFirst, type Operator, unary } from './operator.ts';
import { type ClientsRule, onlyFirstDiffers } from './over-clients.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

/** Axes of a reduction in canonical form (second input); all of them when there is none. */
function reductionAxes(axes: readonly number[] | undefined, rank: number, noopWhenEmpty: boolean): number[] {
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

const reducedType: ShapeRule = (context) => same({ dtype: context.input(0).dtype, shape: reducedShape(context) });

/** The product of known integers is known: exporters compute the number of elements as ReduceProd of a Shape. */
const productType: ShapeRule = (context) => {
  const type = { dtype: context.input(0).dtype, shape: reducedShape(context) };
  const values = context.integers(0);
  if (!values?.every((value) => typeof value === 'number') || type.shape.length > 0) return same(type);
  return { types: [type], integers: [(values as number[]).reduce((a, b) => a * b, 1)] };
};

const indexType: ShapeRule = (context) => {
  const { shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), shape.length);
  const keep = intAttribute(context.node, 'keepdims', 1) === 1;
  const result = keep ? shape.map((dim, i) => (i === axis ? 1 : dim)) : shape.filter((_, i) => i !== axis);
  return same({ dtype: 'int64', shape: result });
};

const attributesMadeInputs = [['axes', 1]] as const;

/**
 * The axes to reduce are brought to the front: onnxruntime then goes through them in order. Sums of numbers that lie next to each other it
 * takes in an order that depends on their address, and bits on the client's place.
 */
const overClients: ClientsRule = (context) => {
  const { b, node, rank, write } = context;
  if (!onlyFirstDiffers(context)) return undefined;
  const given = node.inputs[1] ? (b.knownIntegers(node.inputs[1]) as number[] | undefined) : [];
  const noop = intAttribute(node, 'noop_with_empty_axes', 0) === 1;
  const axes = given && reductionAxes(given, rank(0), noop).map((axis) => axis + 1);
  if (!axes || axes.length === 0) return undefined;
  const kept = Array.from({ length: rank(0) + 1 }, (_, axis) => axis).filter((axis) => !axes.includes(axis));
  const turned = b.op('Transpose', [node.inputs[0]!], { perm: ints([...axes, ...kept]) });
  const inputs = [turned, b.axes(axes.map((_, i) => i))];
  if (intAttribute(node, 'keepdims', 1) === 0) write(node.op, inputs, { keepdims: int(0) });
  else write('Unsqueeze', [b.op(node.op, inputs, { keepdims: int(0) }), b.axes([...axes].sort((a, c) => a - c))]);
  return true;
};

function reducing(
  op: string,
  reads: readonly ForwardValue[],
  gradient: (context: GradientContext) => string,
): Operator {
  return { op, infer: reducedType, gradient: gradientOfFirst(reads, gradient), attributesMadeInputs, overClients };
}

function axesOf({ b, node, x }: GradientContext): number[] {
  const given = node.inputs[1] ? (b.knownIntegers(node.inputs[1]) as number[]) : undefined;
  return reductionAxes(given, b.rank(x(0)), intAttribute(node, 'noop_with_empty_axes', 0) === 1);
}

/** A reduced value with its summed axes put back as size 1, so that it broadcasts against the input. */
function restoreAxes(context: GradientContext, value: string): string {
  const { b, node } = context;
  const axes = axesOf(context);
  if (intAttribute(node, 'keepdims', 1) === 1 || axes.length === 0) return value;
  return b.op('Unsqueeze', [value, b.axes(axes)]);
}

function expandToInput(context: GradientContext, value: string): string {
  const { b, x } = context;
  return b.op('Expand', [restoreAxes(context, value), b.shapeOf(x(0))]);
}

/** ReduceMax and ReduceMin: equal extremes share the gradient. */
function extreme(op: 'ReduceMax' | 'ReduceMin'): Operator {
  return reducing(op, ['x0', 'y0'], (c) => {
    const { b, x, y, dy } = c;
    const axes = axesOf(c);
    if (axes.length === 0) return dy;
    const hits = b.op('Cast', [b.op('Equal', [x(0), restoreAxes(c, y())])], { to: { kind: 'int', value: 1 } });
    return mul(b, hits, div(b, restoreAxes(c, dy), reduceSum(b, hits, axes)));
  });
}

/** The product of all other elements, which stays right where some of them are 0. */
function productGradient(c: GradientContext): string {
  const { b, x, dy } = c;
  const axes = b.axes(axesOf(c));
  if (axesOf(c).length === 0) return dy;
  const isZero = b.op('Cast', [b.op('Equal', [x(0), b.scalar(0)])], { to: { kind: 'int', value: 1 } });
  const nonZero = b.op('Add', [x(0), isZero]);
  const otherZeros = b.op('Sub', [b.op('ReduceSum', [isZero, axes]), isZero]);
  const others = div(b, b.op('ReduceProd', [nonZero, axes]), nonZero);
  const product = b.op('Where', [b.op('Equal', [otherZeros, b.scalar(0)]), others, b.scalar(0)]);
  return mul(b, restoreAxes(c, dy), product);
}

export const reductionOperators: readonly Operator[] = [
  reducing('ReduceSum', [], (c) => expandToInput(c, c.dy)),
  reducing('ReduceMean', [], (c) => {
    const { b, x, y, dy } = c;
    const count = (value: string) => b.op('Cast', [b.op('Size', [value])], { to: { kind: 'int', value: 1 } });
    return div(b, expandToInput(c, dy), div(b, count(x(0)), count(y())));
  }),
  reducing('ReduceSumSquare', ['x0'], (c) => mul(c.b, scale(c.b, c.x(0), 2), restoreAxes(c, c.dy))),
  reducing('ReduceL1', ['x0'], (c) => mul(c.b, c.b.op('Sign', [c.x(0)]), restoreAxes(c, c.dy))),
  reducing('ReduceL2', ['x0', 'y0'], (c) => {
    // At the origin every direction is steepest; the gradient taken there is 0.
    const norm = c.b.op('Max', [c.y(), c.b.scalar(1e-30)]);
    return mul(c.b, c.x(0), restoreAxes(c, div(c.b, c.dy, norm)));
  }),
  reducing('ReduceLogSumExp', ['x0', 'y0'], (c) => {
    const softmax = c.b.op('Exp', [c.b.op('Sub', [c.x(0), restoreAxes(c, c.y())])]);
    return mul(c.b, softmax, restoreAxes(c, c.dy));
  }),
  reducing('ReduceLogSum', ['x0'], (c) => {
    const axes = axesOf(c);
    const total = axes.length === 0 ? c.x(0) : reduceSum(c.b, c.x(0), axes);
    return c.b.op('Expand', [div(c.b, restoreAxes(c, c.dy), total), c.b.shapeOf(c.x(0))]);
  }),
  { ...reducing('ReduceProd', ['x0'], productGradient), infer: productType },
  // Every element enters the sums from its own on, which are summed from the other end.
  unary('CumSum', ['x1'], ({ b, node, dy }) => {
    const reverse = { kind: 'int', value: 1 - intAttribute(node, 'reverse', 0) } as const;
    return b.op('CumSum', [dy, node.inputs[1]!], { ...node.attributes, reverse });
  }),
  extreme('ReduceMax'),
  extreme('ReduceMin'),
  { op: 'ArgMax', infer: indexType, gradient: 'zero' },
  { op: 'ArgMin', infer: indexType, gradient: 'zero' },
];
