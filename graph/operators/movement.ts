import { int, intAttribute, intsAttribute } from '../ir.ts';
import { dataTypeCode } from '../onnx/tensor.ts';
import { unbroadcast } from './broadcast.ts';
import { type GradientContext, type GradientRule, type Gradients, unaryRule } from './operator.ts';

/** Operators that only rename positions: the gradient is reshaped back. */
const reshaped = ({ b, x, dy }: GradientContext): string => b.op('Reshape', [dy, b.shapeOf(x(0))]);

function transposeGradient({ b, node, dy }: GradientContext): string {
  const rank = b.rank(dy);
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return b.op('Transpose', [dy], { perm: { kind: 'ints', value: inverse } });
}

/** Cuts the gradient of a concatenation into the parts, by the sizes the parts have when the graph runs. */
function concatGradients({ b, node, dy, needs }: GradientContext): Gradients {
  const rank = b.rank(dy);
  const raw = intAttribute(node, 'axis', 0);
  const axis = raw < 0 ? raw + rank : raw;
  const sizes = node.inputs.map((input) => b.op('Shape', [input], { start: int(axis), end: int(axis + 1) }));
  const parts = b.node(
    'Split',
    [dy, b.op('Concat', sizes, { axis: int(0) })],
    { axis: int(axis) },
    { outputs: sizes.length },
  );
  return node.inputs.map((_, i) => (needs(i) ? parts[i] : undefined));
}

/** Joins the gradients of the parts; a part without one counts as zero. */
function splitGradient({ b, node, dys }: GradientContext): string {
  const parts = dys.map((gradient, i) => gradient ?? zerosLike(b, node.outputs[i]!));
  return b.op('Concat', parts, { axis: int(intAttribute(node, 'axis', 0)) });
}

function zerosLike(b: GradientContext['b'], value: string): string {
  return b.op('ConstantOfShape', [b.shapeOf(value)]);
}

/**
 * Writes the gradient of a slice into zeros. Each sliced axis is restored by scattering along an index made like the slice's own.
 */
function sliceGradient({ b, node, x, dy }: GradientContext): string {
  const [, starts, ends, axesInput, steps] = node.inputs;
  const count = Number(b.shape(starts!)[0]);
  const given = axesInput ? (b.knownIntegers(axesInput) as number[]) : Array.from({ length: count }, (_, i) => i);
  const axes = given.map((axis) => (axis < 0 ? axis + b.rank(x(0)) : axis));
  let gradient = dy;
  for (const [i, axis] of axes.entries()) {
    const pick = (vector: string) => b.op('Slice', [vector, b.axes([i]), b.axes([i + 1])]);
    const size = b.op('Shape', [x(0)], { start: int(axis), end: int(axis + 1) });
    const positions = b.op('Range', [b.index(0), b.op('Squeeze', [size, b.axes([0])]), b.index(1)]);
    const chosen = b.op('Slice', [
      positions,
      pick(starts!),
      pick(ends!),
      b.axes([0]),
      steps ? pick(steps) : b.axes([1]),
    ]);
    gradient = scatterAlong(b, gradient, chosen, size, axis);
  }
  return gradient;
}

/** Zeros of `size` along `axis`, with the slices of `update` at `positions`. */
function scatterAlong(b: GradientContext['b'], update: string, positions: string, size: string, axis: number): string {
  const rank = b.rank(update);
  const order = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const perm = { perm: { kind: 'ints', value: order } } as const;
  const inverse = { perm: { kind: 'ints', value: order.map((_, i) => order.indexOf(i)) } } as const;
  const front = axis === 0 ? update : b.op('Transpose', [update], perm);
  const rest = b.op('Shape', [front], { start: int(1) });
  const zeros = b.op('ConstantOfShape', [b.op('Concat', [size, rest], { axis: int(0) })]);
  const indices = b.op('Unsqueeze', [positions, b.axes([-1])]);
  const scattered = b.op('ScatterND', [zeros, indices, front]);
  return axis === 0 ? scattered : b.op('Transpose', [scattered], inverse);
}

/** Rows that were gathered several times get the sum. */
function gatherGradient({ b, node, x, dy }: GradientContext): string {
  const raw = intAttribute(node, 'axis', 0);
  const rank = b.rank(x(0));
  const axis = raw < 0 ? raw + rank : raw;
  const zeros = zerosLike(b, x(0));
  if (axis === 0) {
    const indices = b.op('Unsqueeze', [x(1), b.axes([-1])]);
    return b.op('ScatterND', [zeros, indices, dy], { reduction: { kind: 'string', value: 'add' } });
  }
  const indexRank = b.rank(x(1));
  const outRank = rank - 1 + indexRank;
  const indexAxes = Array.from({ length: indexRank }, (_, i) => axis + i);
  const others = Array.from({ length: outRank }, (_, i) => i).filter((i) => !indexAxes.includes(i));
  const front = b.op('Transpose', [dy], { perm: { kind: 'ints', value: [...indexAxes, ...others] } });
  const order = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const base = b.op('Transpose', [zeros], { perm: { kind: 'ints', value: order } });
  const indices = b.op('Unsqueeze', [x(1), b.axes([-1])]);
  const scattered = b.op('ScatterND', [base, indices, front], { reduction: { kind: 'string', value: 'add' } });
  return b.op('Transpose', [scattered], { perm: { kind: 'ints', value: order.map((_, i) => order.indexOf(i)) } });
}

/** Between floating-point types the gradient is cast back; rounding to integers has none. */
function castGradient({ b, x, y, dy }: GradientContext): string | undefined {
  const [from, to] = [b.type(x(0)).dtype, b.type(y()).dtype];
  if (!from.startsWith('float') || !to.startsWith('float')) return undefined;
  return from === to ? dy : b.op('Cast', [dy], { to: int(dataTypeCode(from)) });
}

export const movementRules: readonly GradientRule[] = [
  ...['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].map((op) => unaryRule(op, [], reshaped)),
  unaryRule('Identity', [], ({ dy }) => dy),
  { op: 'Cast', reads: [], gradient: (context) => [castGradient(context)] },
  unaryRule('Transpose', [], transposeGradient),
  { op: 'Concat', reads: [], gradient: concatGradients },
  { op: 'Split', reads: [], gradient: (context) => [splitGradient(context)] },
  unaryRule('Slice', ['x1', 'x2'], sliceGradient),
  { op: 'Gather', reads: ['x1'], gradient: (context) => [gatherGradient(context)] },
  unaryRule('Expand', [], ({ b, x, dy }) => unbroadcast(b, dy, x(0))),
];
