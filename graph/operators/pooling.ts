import { add, div, mul, reduceSum, scale } from '../expressions.ts';
import { elementCount, float32Tensor, int, intAttribute, ints, intsAttribute, text } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { type GradientContext, gradientOfFirst, type Operator } from './operator.ts';
import { foldWindows, padSpatial, windowSlices } from './patches.ts';
import { type ShapeRule, same } from './shape-rule.ts';
import { inferredWindow, type Window, windowOf, windowOutput } from './windows.ts';

const poolTypes: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const kernel = intsAttribute(context.node, 'kernel_shape');
  if (!kernel) throw context.fail('kernel_shape is missing');
  const window = inferredWindow(context, kernel);
  const ceil = intAttribute(context.node, 'ceil_mode', 0) === 1;
  const output = windowOutput(window, shape.slice(2), ceil);
  for (const [i, size] of shape.slice(2).entries()) {
    const last = (Number(output[i]) - 1) * window.strides[i]!;
    if (ceil && typeof size === 'number' && last >= size + window.padsBegin[i]!) {
      throw context.fail('its last window starts in the padding, which runtimes count differently; set ceil_mode to 0');
    }
  }
  const type = [...shape.slice(0, 2), ...output];
  return {
    types: [
      { dtype, shape: type },
      { dtype: 'int64', shape: type },
    ],
  };
};

const globalPoolType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  return same({ dtype, shape: shape.map((dim, axis) => (axis < 2 ? dim : 1)) });
};

function poolWindow({ b, node, x }: GradientContext): Window {
  const window = windowOf(node, intsAttribute(node, 'kernel_shape')!, b.shape(x(0)).slice(2));
  if (intAttribute(node, 'ceil_mode', 0) === 0) return window;
  // The last window may reach beyond the end by less than a stride.
  return { ...window, padsEnd: window.padsEnd.map((pad, i) => pad + window.strides[i]! - 1) };
}

/** Windows that tile the input exactly: each element belongs to one window, so nothing needs to be scattered. */
function tiles({ b, x }: GradientContext, window: Window): boolean {
  const sizes = b.shape(x(0)).slice(2);
  return (
    !isPadded(window) &&
    sizes.every(
      (size, i) =>
        window.kernel[i] === window.strides[i] &&
        window.dilations[i] === 1 &&
        typeof size === 'number' &&
        size % window.kernel[i]! === 0,
    )
  );
}

function isPadded({ padsBegin, padsEnd }: Window): boolean {
  return [...padsBegin, ...padsEnd].some((pad) => pad !== 0);
}

const asFloat = ({ b }: GradientContext, value: string): string => b.op('Cast', [value], { to: int(1) });

/** The gradient goes to the largest element of each window; equal ones share it. */
function maxPoolGradient(context: GradientContext): string {
  const { b, x, y, dy } = context;
  const window = poolWindow(context);
  if (tiles(context, window)) return tiledMaxPoolGradient(context, window);
  const slices = windowSlices(b, padSpatial(b, x(0), window, -3.4e38), y(), window);
  const hits = slices.map((slice) => asFloat(context, b.op('Equal', [slice, y()])));
  const shared = div(
    b,
    dy,
    hits.reduce((sum, hit) => add(b, sum, hit)),
  );
  const parts = hits.map((hit) => b.op('Unsqueeze', [mul(b, hit, shared), b.axes([2])]));
  return foldWindows(b, b.op('Concat', parts, { axis: int(2) }), x(0), window);
}

/** Enlarging the windowed values keeps every operation elementwise on equal shapes, which is several times faster than broadcasting. */
function tiledMaxPoolGradient(context: GradientContext, { kernel }: Window): string {
  const { b, x, y } = context;
  const scales = b.constant(float32Tensor([kernel.length + 2], [1, 1, ...kernel]));
  const enlarged = (value: string) => b.op('Resize', [value, '', scales], nearest);
  const hits = asFloat(context, b.op('Equal', [x(0), enlarged(y())]));
  return mul(b, hits, enlarged(sharedByTies(context, hits, kernel)));
}

/**
 * dy divided by the number of equal maxima in each window. Counting them is the slowest part of the gradient and rarely needed: where each
 * image plane has as many hits as windows, there are no ties.
 */
function sharedByTies(context: GradientContext, hits: string, kernel: readonly number[]): string {
  const { b, y, dy } = context;
  const windows = elementCount(b.shape(y()).slice(2) as number[]);
  const most = b.op('ReduceMax', [reduceSum(b, hits, spatialAxes(context), false)], { keepdims: int(0) });
  const untied = b.op('Equal', [most, b.scalar(windows)]);
  const [whole, divided] = [b.subgraph(), b.subgraph()];
  const none = whole.op('Identity', [dy]);
  // Counting the padding that is not there takes a faster path in the runtime.
  const tiling = { kernel_shape: ints(kernel), strides: ints(kernel), count_include_pad: int(1) };
  const share = divided.op('AveragePool', [hits], tiling);
  const quotient = div(divided, dy, scale(divided, share, elementCount(kernel)));
  const branch = (body: GraphWriter, name: string, output: string) => ({
    kind: 'graph' as const,
    value: body.build(name, [output]),
  });
  const branches = {
    then_branch: branch(whole, 'no_ties', none),
    else_branch: branch(divided, 'ties', quotient),
  };
  return b.control('If', [untied], branches, [{ name: b.unique('untied'), ...b.type(dy) }])[0]!;
}

/** Repeats each element as often as its axis is scaled. */
const nearest = {
  mode: text('nearest'),
  coordinate_transformation_mode: text('asymmetric'),
  nearest_mode: text('floor'),
};

/**
 * Every element of a window gets an equal part of its gradient. What the runtime divides by at a border (`count_include_pad`, `ceil_mode`)
 * is read off the pooled image of ones: elements of the image in the window / divisor.
 */
function averagePoolGradient(context: GradientContext): string {
  const { b, node, x, y, dy } = context;
  const window = poolWindow(context);
  const positions = elementCount(window.kernel);
  let share = scale(b, dy, 1 / positions);
  if (isPadded(window)) {
    const sizes = b.op('Shape', [x(0)], { start: int(2) });
    const ones = b.op('Expand', [b.scalar(1), b.op('Concat', [b.axes([1, 1]), sizes], { axis: int(0) })]);
    const inImage = windowSlices(b, padSpatial(b, ones, window, 0), y(), window).reduce((sum, slice) =>
      add(b, sum, slice),
    );
    share = mul(b, dy, div(b, b.op('AveragePool', [ones], node.attributes), inImage));
  }
  const part = b.op('Unsqueeze', [share, b.axes([2])]);
  const parts = b.op(
    'Concat',
    Array.from({ length: positions }, () => part),
    { axis: int(2) },
  );
  return foldWindows(b, parts, x(0), window);
}

function spatialAxes({ b, x }: GradientContext): number[] {
  return Array.from({ length: b.rank(x(0)) - 2 }, (_, i) => i + 2);
}

export const poolingOperators: readonly Operator[] = [
  { op: 'MaxPool', infer: poolTypes, gradient: gradientOfFirst(['x0', 'y0'], maxPoolGradient) },
  { op: 'AveragePool', infer: poolTypes, gradient: gradientOfFirst([], averagePoolGradient) },
  {
    op: 'GlobalAveragePool',
    infer: globalPoolType,
    gradient: gradientOfFirst([], (c) => {
      const sizes = c.b.op('Shape', [c.x(0)], { start: int(2) });
      const count = asFloat(c, c.b.op('ReduceProd', [sizes], { keepdims: int(0) }));
      return c.b.op('Expand', [div(c.b, c.dy, count), c.b.shapeOf(c.x(0))]);
    }),
  },
  {
    op: 'GlobalMaxPool',
    infer: globalPoolType,
    gradient: gradientOfFirst(['x0', 'y0'], (c) => {
      const hits = asFloat(c, c.b.op('Equal', [c.x(0), c.y()]));
      return mul(c.b, hits, div(c.b, c.dy, reduceSum(c.b, hits, spatialAxes(c))));
    }),
  },
];
