import { addDims, cancelProduct, floorDivideDims, multiplyDims, productOfDims, subtractDims } from '../dims.ts';
import { type Dim, intAttribute, intsAttribute } from '../ir.ts';
import { normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

const reshape: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const requested = context.integers(1);
  if (!requested) {
    const length = context.input(1).shape[0];
    if (typeof length !== 'number') throw context.fail('the rank of the new shape must be known');
    return same({ dtype, shape: Array.from({ length }, (_, i) => `${context.node.outputs[0]}_${i}`) });
  }
  const allowZero = intAttribute(context.node, 'allowzero', 0) === 1;
  const sizes = requested.map((size, axis) => (size === 0 && !allowZero ? shape[axis]! : size));
  const rest = sizes.filter((size) => size !== -1);
  const resolved = sizes.map((size) => {
    if (size !== -1) return size;
    return cancelProduct(shape, rest) ?? `(${productOfDims(shape)}/${productOfDims(rest)})`;
  });
  const [before, after] = [productOfDims(shape), productOfDims(resolved)];
  if (typeof before === 'number' && typeof after === 'number' && before !== after) {
    throw context.fail(`[${shape}] has ${before} elements, [${resolved}] has ${after}`);
  }
  const whole = resolved.every((size) => typeof size === 'number');
  const foldable = resolved.length <= 1 || (resolved.length === 2 && whole);
  return { types: [{ dtype, shape: resolved }], integers: foldable ? context.integers(0) : undefined };
};

const transpose: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const order = intsAttribute(context.node, 'perm') ?? shape.map((_, i) => shape.length - 1 - i);
  const type = { dtype, shape: order.map((axis) => shape[axis]!) };
  const values = context.integers(0);
  const [rows, columns] = shape;
  if (!values || shape.length !== 2 || typeof rows !== 'number' || typeof columns !== 'number' || order[0] === 0) {
    return { types: [type], integers: order.every((axis, i) => axis === i) ? values : undefined };
  }
  const integers = values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
  return { types: [type], integers };
};

const squeeze: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const given = context.hasInput(1) ? context.numbers(1, 'the axes') : undefined;
  const axes = new Set(given?.map((axis) => normaliseAxis(axis, shape.length)));
  const kept = shape.filter((dim, axis) => (given ? !axes.has(axis) : dim !== 1));
  return { types: [{ dtype, shape: kept }], integers: context.integers(0) };
};

const unsqueeze: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const given = context.numbers(1, 'the axes');
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => normaliseAxis(axis, rank)));
  const rest = [...shape];
  const widened = Array.from({ length: rank }, (_, axis): Dim => (axes.has(axis) ? 1 : rest.shift()!));
  return { types: [{ dtype, shape: widened }], integers: rank <= 1 ? context.integers(0) : undefined };
};

const concat: ShapeRule = (context) => {
  const first = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), first.shape.length);
  const parts = context.node.inputs.map((_, i) => context.input(i).shape[axis]!);
  const shape = first.shape.map((dim, i) => (i === axis ? parts.reduce(addDims) : dim));
  const values = context.node.inputs.map((_, i) => context.integers(i));
  const integers = shape.length === 1 && values.every((value) => value) ? values.flatMap((value) => value!) : undefined;
  return { types: [{ dtype: first.dtype, shape }], integers };
};

const slice: ShapeRule = (context) => {
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

const gather: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), shape.length);
  const indices = context.input(1).shape;
  const result = [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)];
  const values = context.integers(0);
  const chosen = context.integers(1);
  const foldable = values && chosen?.every((index) => typeof index === 'number') && shape.length === 1;
  return {
    types: [{ dtype, shape: result }],
    integers: foldable ? (chosen as number[]).map((index) => values.at(index)!) : undefined,
  };
};

const shapeOf: ShapeRule = (context) => {
  const { shape } = context.input(0);
  const start = intAttribute(context.node, 'start', 0);
  const end = intAttribute(context.node, 'end', shape.length);
  const part = shape.slice(start, end);
  return { types: [{ dtype: 'int64', shape: [part.length] }], integers: part };
};

const expand: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const target = context.integers(1);
  if (!target) {
    const length = Number(context.input(1).shape[0]);
    return same({ dtype, shape: Array.from({ length }, (_, i) => `${context.node.outputs[0]}_${i}`) });
  }
  const rank = Math.max(shape.length, target.length);
  const at = (dims: readonly Dim[], axis: number) => dims[axis - rank + dims.length] ?? 1;
  const result = Array.from({ length: rank }, (_, i) => (at(target, i) === 1 ? at(shape, i) : at(target, i)));
  const [value, ...others] = context.integers(0) ?? [];
  const [length = 1] = result;
  const repeated =
    rank <= 1 && value !== undefined && others.length === 0 && typeof length === 'number' && length <= 1024;
  const integers = repeated ? Array.from({ length }, () => value) : undefined;
  return { types: [{ dtype, shape: result }], integers };
};

const split: ShapeRule = (context) => {
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

const range: ShapeRule = (context) => {
  const [start, limit, step] = [context.integers(0)?.[0], context.integers(1)?.[0], context.integers(2)?.[0]];
  const { dtype } = context.input(0);
  if (start === 0 && step === 1 && limit !== undefined) {
    const integers =
      typeof limit === 'number' && limit <= 1024 ? Array.from({ length: limit }, (_, i) => i) : undefined;
    return { types: [{ dtype, shape: [limit] }], integers };
  }
  return same({ dtype, shape: [`${context.node.outputs[0]}_0`] });
};

const constantOfShape: ShapeRule = (context) => {
  const sizes = context.integers(0);
  const { value } = context.node.attributes;
  const fill = value?.kind === 'tensor' ? value.value : undefined;
  const length = Number(context.input(0).shape[0] ?? 0);
  const shape = sizes ?? Array.from({ length }, (_, i): Dim => `${context.node.outputs[0]}_${i}`);
  const type = { dtype: fill?.dtype ?? ('float32' as const), shape };
  const count = shape.length === 1 ? shape[0] : undefined;
  if (fill?.dtype !== 'int64' || typeof count !== 'number' || count > 1024) return same(type);
  return { types: [type], integers: Array.from({ length: count }, () => Number(fill.data[0])) };
};

const like =
  (index: number): ShapeRule =>
  (context) =>
    same(context.input(index));

export const movementShapes: Record<string, ShapeRule> = {
  Reshape: reshape,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Slice: slice,
  Gather: gather,
  Shape: shapeOf,
  Expand: expand,
  Split: split,
  Range: range,
  ConstantOfShape: constantOfShape,
  Flatten: (context) => {
    const { dtype, shape } = context.input(0);
    const axis = normaliseAxis(intAttribute(context.node, 'axis', 1), shape.length);
    return same({ dtype, shape: [productOfDims(shape.slice(0, axis)), productOfDims(shape.slice(axis))] });
  },
  GatherElements: (context) => same({ dtype: context.input(0).dtype, shape: context.input(1).shape }),
  GatherND: (context) => {
    const { dtype, shape } = context.input(0);
    const indices = context.input(1).shape;
    const depth = indices.at(-1);
    if (typeof depth !== 'number') throw context.fail('the last size of the indices must be known');
    const skipped = intAttribute(context.node, 'batch_dims', 0) + depth;
    return same({ dtype, shape: [...indices.slice(0, -1), ...shape.slice(skipped)] });
  },
  DepthToSpace: (context) => {
    const { dtype, shape } = context.input(0);
    const size = intAttribute(context.node, 'blocksize', 1);
    const [batch, depth, height, width] = shape as [Dim, Dim, Dim, Dim];
    const spatial = [multiplyDims(height, size), multiplyDims(width, size)];
    return same({ dtype, shape: [batch, floorDivideDims(depth, size * size), ...spatial] });
  },
  SpaceToDepth: (context) => {
    const { dtype, shape } = context.input(0);
    const size = intAttribute(context.node, 'blocksize', 1);
    const [batch, channels, height, width] = shape as [Dim, Dim, Dim, Dim];
    const spatial = [floorDivideDims(height, size), floorDivideDims(width, size)];
    return same({ dtype, shape: [batch, multiplyDims(channels, size * size), ...spatial] });
  },
  ScatterElements: like(0),
  ScatterND: like(0),
  ReverseSequence: like(0),
  Pad: (context) => {
    const { dtype, shape } = context.input(0);
    const pads = context.numbers(1, 'the pads');
    const axes = context.hasInput(3) ? context.numbers(3, 'the axes') : shape.map((_, i) => i);
    const result = [...shape];
    for (const [i, axis] of axes.entries()) {
      const at = normaliseAxis(axis, shape.length);
      result[at] = addDims(shape[at]!, pads[i]! + pads[i + axes.length]!);
    }
    return same({ dtype, shape: result });
  },
  Tile: (context) => {
    const { dtype, shape } = context.input(0);
    const repeats = context.numbers(1, 'the repeats');
    return same({ dtype, shape: shape.map((dim, i) => multiplyDims(dim, repeats[i]!)) });
  },
  OneHot: (context) => {
    const { shape } = context.input(0);
    const depth = context.integers(1)?.[0] ?? `${context.node.outputs[0]}_depth`;
    const raw = intAttribute(context.node, 'axis', -1);
    const axis = raw < 0 ? raw + shape.length + 1 : raw;
    return same({ dtype: context.input(2).dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] });
  },
  TopK: (context) => {
    const { dtype, shape } = context.input(0);
    const axis = normaliseAxis(intAttribute(context.node, 'axis', -1), shape.length);
    const count = context.integers(1)?.[0] ?? `${context.node.outputs[0]}_${axis}`;
    const result = shape.map((dim, i) => (i === axis ? count : dim));
    return { types: [dtype, 'int64' as const].map((type) => ({ dtype: type, shape: result })) };
  },
  NonZero: (context) =>
    same({ dtype: 'int64', shape: [context.input(0).shape.length, `${context.node.outputs[0]}_1`] }),
  Size: (context) => {
    const size = productOfDims(context.input(0).shape);
    return { types: [{ dtype: 'int64', shape: [] }], integers: [size] };
  },
};
