import { floorDivideDims, multiplyDims } from '../dims.ts';
import { reduceSum } from '../expressions.ts';
import { type Dim, int, intAttribute, ints, intsAttribute, stringAttribute } from '../ir.ts';
import { unbroadcast } from './broadcast.ts';
import { type GradientContext, gradientOfFirst, type Operator, unary } from './operator.ts';
import { behindClients, type ClientsRule, onlyFirstDiffers, raised } from './over-clients.ts';
import { type ShapeRule, same } from './shape-rule.ts';

const transposeType: ShapeRule = (context) => {
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

const expandType: ShapeRule = (context) => {
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

const tileType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const repeats = context.integers(1);
  const size = (dim: Dim, axis: number): Dim => {
    const count = repeats?.[axis];
    return count === undefined ? `${context.node.outputs[0]}_${axis}` : multiplyDims(dim, count);
  };
  return same({ dtype, shape: shape.map(size) });
};

const depthToSpaceType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const size = intAttribute(context.node, 'blocksize', 1);
  const [batch, depth, height, width] = shape as [Dim, Dim, Dim, Dim];
  const spatial = [multiplyDims(height, size), multiplyDims(width, size)];
  return same({ dtype, shape: [batch, floorDivideDims(depth, size * size), ...spatial] });
};

const spaceToDepthType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const size = intAttribute(context.node, 'blocksize', 1);
  const [batch, channels, height, width] = shape as [Dim, Dim, Dim, Dim];
  const spatial = [floorDivideDims(height, size), floorDivideDims(width, size)];
  return same({ dtype, shape: [batch, multiplyDims(channels, size * size), ...spatial] });
};

function transposeGradient({ b, node, dy }: GradientContext): string {
  const rank = b.rank(dy);
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return b.op('Transpose', [dy], { perm: { kind: 'ints', value: inverse } });
}

/** A shape vector from sizes of a value, by axis, numbers, and names of vectors. */
function shapeFrom({ b }: GradientContext, value: string, parts: readonly ({ axis: number } | Dim)[]): string {
  const pieces = parts.map((part) => {
    if (typeof part === 'string') return part;
    return typeof part === 'number'
      ? b.axes([part])
      : b.op('Shape', [value], { start: int(part.axis), end: int(part.axis + 1) });
  });
  return b.op('Concat', pieces, { axis: int(0) });
}

/** The copies of a repeated tensor are laid out on axes of their own, then summed. Repeats may be known only when the graph runs. */
function tileGradient(context: GradientContext): string {
  const { b, x, dy } = context;
  const rank = b.rank(x(0));
  if (rank === 0) return dy;
  const known = b.knownIntegers(x(1));
  const repeat = (axis: number): Dim => {
    const count = known?.[axis];
    return typeof count === 'number' ? count : b.op('Slice', [x(1), b.axes([axis]), b.axes([axis + 1]), b.axes([0])]);
  };
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const apart = shapeFrom(
    context,
    x(0),
    axes.flatMap((axis) => [repeat(axis), { axis }]),
  );
  const copies = axes.map((axis) => 2 * axis);
  const summed = reduceSum(b, b.op('Reshape', [dy, apart]), copies, false);
  // Of repeats that nothing is known of, the compiler cannot tell that the sizes are those of the input again.
  return known ? summed : b.op('Reshape', [summed, b.shapeOf(x(0))]);
}

/** Takes the blocks apart again. In mode CRD the channel is the slow index of the depth, in DCR (and SpaceToDepth) the fast one. */
function depthToSpaceGradient(context: GradientContext): string {
  const { b, node, x, dy } = context;
  const size = intAttribute(node, 'blocksize', 1);
  if (stringAttribute(node, 'mode', 'DCR') === 'DCR') return b.op('SpaceToDepth', [dy], { blocksize: int(size) });
  const blocks = b.op('Reshape', [
    dy,
    shapeFrom(context, x(0), [{ axis: 0 }, -1, { axis: 2 }, size, { axis: 3 }, size]),
  ]);
  const depth = b.op('Transpose', [blocks], { perm: { kind: 'ints', value: [0, 1, 3, 5, 2, 4] } });
  return b.op('Reshape', [depth, b.shapeOf(x(0))]);
}

const transposeOverClients: ClientsRule = ({ node, rank, write }) => {
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank(0) }, (_, i) => rank(0) - 1 - i);
  write('Transpose', node.inputs, { perm: ints([0, ...order.map(behindClients)]) });
  return true;
};

const expandOverClients: ClientsRule = (context) => {
  const { b, node, rank, write } = context;
  const [value, sizes] = node.inputs as [string, string];
  const [length] = b.shape(sizes);
  if (!onlyFirstDiffers(context) || typeof length !== 'number') return undefined;
  // A shape of fewer sizes than the value has axes would meet the wrong ones.
  const before = Array.from({ length: 1 + Math.max(0, rank(0) - length) }, () => 1);
  const whole = b.op('Concat', [b.axes(before), sizes], { axis: int(0) });
  write('Expand', [raised(b, value, rank(0), length), whole]);
  return true;
};

/** Operators that move or repeat elements in whole blocks, or cut a triangle out. */
export const rearrangementOperators: readonly Operator[] = [
  {
    op: 'Transpose',
    infer: transposeType,
    gradient: gradientOfFirst([], transposeGradient),
    overClients: transposeOverClients,
  },
  {
    op: 'Expand',
    infer: expandType,
    gradient: gradientOfFirst([], ({ b, x, dy }) => unbroadcast(b, dy, x(0))),
    overClients: expandOverClients,
  },
  { op: 'Tile', infer: tileType, gradient: gradientOfFirst(['x1'], tileGradient) },
  { op: 'DepthToSpace', infer: depthToSpaceType, gradient: gradientOfFirst([], depthToSpaceGradient) },
  {
    op: 'SpaceToDepth',
    infer: spaceToDepthType,
    gradient: gradientOfFirst([], ({ b, node, dy }) =>
      b.op('DepthToSpace', [dy], { blocksize: int(intAttribute(node, 'blocksize', 1)) }),
    ),
  },
  unary('Trilu', [], ({ b, node, dy }) => b.op('Trilu', [dy, ...node.inputs.slice(1)], node.attributes)),
];
