import { ModelError } from '../../errors.ts';
import { zerosLike } from '../expressions.ts';
import { type Dim, int, intAttribute, stringAttribute, text } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { type GradientContext, type Gradients, gradientOfFirst, type Operator, unary } from './operator.ts';
import { alongAxis, alongAxisOfAll, type ClientsRule } from './over-clients.ts';
import { like, normaliseAxis, type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

const gatherType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 0), shape.length);
  const indices = context.input(1).shape;
  const result = [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)];
  const values = context.integers(0);
  const chosen = context.integers(1);
  requireInside(context, chosen, shape[axis]);
  const foldable = values && chosen?.every((index) => typeof index === 'number') && shape.length === 1;
  return {
    types: [{ dtype, shape: result }],
    integers: foldable ? (chosen as number[]).map((index) => values.at(index)!) : undefined,
  };
};

/** @throws ModelError for an index known to lie outside an axis of known size */
function requireInside(context: ShapeContext, indices: readonly Dim[] | undefined, size: Dim | undefined): void {
  if (typeof size !== 'number') return;
  const outside = indices?.find((index) => typeof index === 'number' && (index >= size || index < -size));
  if (outside !== undefined) throw context.fail(`index ${outside} lies outside an axis of size ${size}`);
}

const gatherElementsType: ShapeRule = (context) =>
  same({ dtype: context.input(0).dtype, shape: context.input(1).shape });

const gatherNDType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const indices = context.input(1).shape;
  const depth = indices.at(-1);
  if (typeof depth !== 'number') throw context.fail('the last size of the indices must be known');
  const skipped = intAttribute(context.node, 'batch_dims', 0) + depth;
  return same({ dtype, shape: [...indices.slice(0, -1), ...shape.slice(skipped)] });
};

const oneHotType: ShapeRule = (context) => {
  const { shape } = context.input(0);
  const depth = context.integers(1)?.[0] ?? `${context.node.outputs[0]}_depth`;
  const raw = intAttribute(context.node, 'axis', -1);
  const axis = raw < 0 ? raw + shape.length + 1 : raw;
  return same({ dtype: context.input(2).dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] });
};

const topKTypes: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', -1), shape.length);
  const count = context.integers(1)?.[0] ?? `${context.node.outputs[0]}_${axis}`;
  const result = shape.map((dim, i) => (i === axis ? count : dim));
  return { types: [dtype, 'int64' as const].map((type) => ({ dtype: type, shape: result })) };
};

const nonZeroType: ShapeRule = (context) =>
  same({ dtype: 'int64', shape: [context.input(0).shape.length, `${context.node.outputs[0]}_1`] });

/** Elements that were picked several times get the sum. */
const summed = { reduction: text('add') };

function gatherGradient({ b, node, x, dy }: GradientContext): string {
  const raw = intAttribute(node, 'axis', 0);
  const rank = b.rank(x(0));
  const axis = raw < 0 ? raw + rank : raw;
  const zeros = zerosLike(b, x(0));
  const chosen = b.type(x(1)).dtype === 'int64' ? x(1) : b.op('Cast', [x(1)], { to: int(7) });
  const indices = b.op('Unsqueeze', [chosen, b.axes([-1])]);
  if (axis === 0) return b.op('ScatterND', [zeros, indices, dy], summed);
  const indexRank = b.rank(x(1));
  const outRank = rank - 1 + indexRank;
  const indexAxes = Array.from({ length: indexRank }, (_, i) => axis + i);
  const others = Array.from({ length: outRank }, (_, i) => i).filter((i) => !indexAxes.includes(i));
  const front = b.op('Transpose', [dy], { perm: { kind: 'ints', value: [...indexAxes, ...others] } });
  const order = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const base = b.op('Transpose', [zeros], { perm: { kind: 'ints', value: order } });
  const scattered = b.op('ScatterND', [base, indices, front], summed);
  return b.op('Transpose', [scattered], { perm: { kind: 'ints', value: order.map((_, i) => order.indexOf(i)) } });
}

function gatherNDGradient({ b, node, x, dy }: GradientContext): string {
  const indices = withBatchIndices(b, x(1), intAttribute(node, 'batch_dims', 0));
  return b.op('ScatterND', [zerosLike(b, x(0)), indices, dy], summed);
}

/** Indices [batch…, …, depth] within each batch as indices [batch…, …, batches + depth] into the whole. */
function withBatchIndices(b: GraphWriter, indices: string, batches: number): string {
  if (batches === 0) return indices;
  const rank = b.rank(indices);
  const places = b.op('Shape', [indices], { start: int(0), end: int(rank - 1) });
  const target = b.op('Concat', [places, b.axes([1])], { axis: int(0) });
  const ofAxis = (axis: number) => {
    const size = b.op('Squeeze', [b.op('Shape', [indices], { start: int(axis), end: int(axis + 1) }), b.axes([0])]);
    const numbers = b.reshape(
      b.op('Range', [b.index(0), size, b.index(1)]),
      Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1)),
    );
    return b.op('Expand', [numbers, target]);
  };
  return b.op('Concat', [...Array.from({ length: batches }, (_, axis) => ofAxis(axis)), indices], { axis: int(-1) });
}

function gatherElementsGradient({ b, node, x, dy }: GradientContext): string {
  const axis = int(intAttribute(node, 'axis', 0));
  return b.op('ScatterElements', [zerosLike(b, x(0)), x(1), dy], { ...summed, axis });
}

/** The second output, the indices, has no gradient to give. */
function topKGradient({ b, node, x, y, dy, dys }: GradientContext): string | undefined {
  const axis = int(intAttribute(node, 'axis', -1));
  if (!dys[0]) return undefined;
  return b.op('ScatterElements', [zerosLike(b, x(0)), y(1), dy], { ...summed, axis });
}

/** Written elements get their gradient from the update, or from both when the update was added. */
function scatterGradients(
  context: GradientContext,
  write: (target: string, updates: string) => string,
  read: (source: string) => string,
): Gradients {
  const { b, node, x, dy, needs } = context;
  const reduction = stringAttribute(node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    throw new ModelError(
      `node '${node.name}' (${node.op}): reduction '${reduction}' has no gradient; only 'none' and 'add' can be trained`,
    );
  }
  const kept = () => (reduction === 'add' ? dy : write(dy, zerosLike(b, x(2))));
  return [needs(0) ? kept() : undefined, undefined, needs(2) ? read(dy) : undefined];
}

function scatterElementsGradients(context: GradientContext): Gradients {
  const { b, node, x } = context;
  const axis = { axis: int(intAttribute(node, 'axis', 0)) };
  return scatterGradients(
    context,
    (target, updates) => b.op('ScatterElements', [target, x(1), updates], axis),
    (source) => b.op('GatherElements', [source, x(1)], axis),
  );
}

function scatterNDGradients(context: GradientContext): Gradients {
  const { b, x } = context;
  return scatterGradients(
    context,
    (target, updates) => b.op('ScatterND', [target, x(1), updates]),
    (source) => b.op('GatherND', [source, x(1)]),
  );
}

/** Indices of their own pick what they pick; of data of their own, all clients pick the same places. */
const gatherOverClients: ClientsRule = (context) => {
  const { node, differs, write } = context;
  if (differs(0)) return alongAxis(0)(context);
  if (intAttribute(node, 'axis', 0) !== 0) return undefined;
  write('Gather', node.inputs, node.attributes);
  return true;
};

/** Operators that pick elements or write to them, by indices that they are given or find themselves. */
export const indexingOperators: readonly Operator[] = [
  {
    op: 'Gather',
    infer: gatherType,
    gradient: gradientOfFirst(['x1'], gatherGradient),
    overClients: gatherOverClients,
  },
  {
    op: 'GatherElements',
    infer: gatherElementsType,
    gradient: gradientOfFirst(['x1'], gatherElementsGradient),
    overClients: alongAxisOfAll(0),
  },
  { op: 'GatherND', infer: gatherNDType, gradient: gradientOfFirst(['x1'], gatherNDGradient) },
  { op: 'ScatterElements', infer: like(0), gradient: { reads: ['x1'], write: scatterElementsGradients } },
  { op: 'ScatterND', infer: like(0), gradient: { reads: ['x1'], write: scatterNDGradients } },
  { op: 'TopK', infer: topKTypes, gradient: gradientOfFirst(['y1'], topKGradient) },
  unary('ReverseSequence', ['x1'], ({ b, node, x, dy }) => b.op('ReverseSequence', [dy, x(1)], node.attributes)),
  { op: 'OneHot', infer: oneHotType, gradient: 'zero', overClients: alongAxis(-1) },
  { op: 'NonZero', infer: nonZeroType, gradient: 'zero' },
];
