import { addDims, floorDivideDims, subtractDims } from '../dims.ts';
import { zerosLike } from '../expressions.ts';
import { type Dim, int, intAttribute } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { type GradientContext, type Gradients, gradientOfFirst, type Operator } from './operator.ts';
import { alongAxisOfAll, axesBehindClients, type ClientsRule, onlyFirstDiffers } from './over-clients.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule } from './shape-rule.ts';

const concatType: ShapeRule = (context) => {
  const first = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), first.shape.length);
  const parts = context.node.inputs.map((_, i) => context.input(i).shape[axis]!);
  const shape = first.shape.map((dim, i) => (i === axis ? parts.reduce(addDims) : dim));
  const values = context.node.inputs.map((_, i) => context.integers(i));
  const integers = shape.length === 1 && values.every((value) => value) ? values.flatMap((value) => value!) : undefined;
  return { types: [{ dtype: first.dtype, shape }], integers };
};

const splitTypes: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), shape.length);
  const count = context.node.outputs.length;
  const sizes = context.hasInput(1)
    ? (context.integers(1) ?? context.node.outputs.map((output): Dim => `${output}_${axis}`))
    : undefined;
  const whole = shape[axis]!;
  const chunk = typeof whole === 'number' ? Math.ceil(whole / count) : `ceil(${whole}/${count})`;
  return {
    types: context.node.outputs.map((_, i) => {
      const size = sizes
        ? sizes[i]!
        : typeof chunk === 'number'
          ? Math.min(chunk, (whole as number) - chunk * i)
          : chunk;
      return { dtype, shape: shape.map((dim, a) => (a === axis ? size : dim)) };
    }),
  };
};

const sliceType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const starts = context.integers(1);
  const ends = context.integers(2);
  const count = context.input(1).shape[0];
  const axes = context.hasInput(3)
    ? context.numbers(3, 'the axes')
    : Array.from({ length: Number(count) }, (_, i) => i);
  const steps = context.hasInput(4) ? context.numbers(4, 'the steps') : axes.map(() => 1);
  const result = [...shape];
  for (const [i, raw] of axes.entries()) {
    const axis = normaliseAxis(raw, shape.length);
    result[axis] = slicedDim(context, shape[axis]!, starts?.[i], ends?.[i], steps[i]!, axis);
  }
  return { types: [{ dtype, shape: result }], integers: slicedIntegers(context, axes, starts?.[0], steps[0]!, result) };
};

/** Known integers cut along their first axis; exporters turn the pads of an image around in this way. */
function slicedIntegers(
  context: ShapeContext,
  axes: readonly number[],
  start: Dim | undefined,
  step: number,
  result: readonly Dim[],
): Dim[] | undefined {
  const values = context.integers(0);
  const { shape } = context.input(0);
  const [rows, columns = 1] = shape;
  const [length] = result;
  if (!values || shape.length === 0 || shape.length > 2 || axes.length !== 1) return undefined;
  if (normaliseAxis(axes[0]!, shape.length) !== 0 || typeof columns !== 'number') return undefined;
  if (typeof rows !== 'number' || typeof start !== 'number' || typeof length !== 'number') return undefined;
  const first = Math.min(Math.max(start < 0 ? start + rows : start, 0), step < 0 ? rows - 1 : rows);
  return Array.from({ length }, (_, i) => first + i * step).flatMap((row) =>
    values.slice(row * columns, (row + 1) * columns),
  );
}

/** ends at or beyond this mean "to the end" in exported models. */
const farEnd = 2 ** 31 - 1;

function slicedDim(
  context: ShapeContext,
  dim: Dim,
  start: Dim | undefined,
  end: Dim | undefined,
  step: number,
  axis: number,
): Dim {
  const unknown = `${context.node.outputs[0]}_${axis}`;
  if (start === undefined || end === undefined) return unknown;
  if (typeof dim === 'number' && typeof start === 'number' && typeof end === 'number') {
    const clamp = (value: number) =>
      Math.min(Math.max(value < 0 ? value + dim : value, step < 0 ? -1 : 0), step < 0 ? dim - 1 : dim);
    const from = clamp(start);
    const to = end < -farEnd ? -1 : clamp(end);
    return Math.max(0, Math.ceil((to - from) / step));
  }
  if (step < 1 || (typeof start === 'number' && start < 0)) return unknown;
  const to = typeof end === 'number' ? (end >= farEnd ? dim : end < 0 ? addDims(dim, end) : unknown) : end;
  if (to === unknown) return unknown;
  const span = subtractDims(to, start);
  return step === 1 ? span : floorDivideDims(addDims(span, step - 1), step);
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
function scatterAlong(b: GraphWriter, update: string, positions: string, size: string, axis: number): string {
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

const sliceOverClients: ClientsRule = (context) => {
  const { b, node, write } = context;
  const [data, starts, ends, axes, ...steps] = node.inputs as [string, string, string, string?, ...string[]];
  const behind = axes ? axesBehindClients(context, 3) : undefined;
  if (!behind || !onlyFirstDiffers(context)) return undefined;
  write('Slice', [data, starts, ends, b.axes(behind), ...steps]);
  return true;
};

/** Operators that cut a tensor up, or put it together. */
export const slicingOperators: readonly Operator[] = [
  { op: 'Concat', infer: concatType, gradient: { reads: [], write: concatGradients }, overClients: alongAxisOfAll(0) },
  {
    op: 'Split',
    infer: splitTypes,
    gradient: gradientOfFirst([], splitGradient),
    attributesMadeInputs: [['split', 1]],
  },
  {
    op: 'Slice',
    infer: sliceType,
    gradient: gradientOfFirst(['x1', 'x2'], sliceGradient),
    overClients: sliceOverClients,
  },
];
