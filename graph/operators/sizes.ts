import { productOfDims } from '../dims.ts';
import { type Dim, int, intAttribute } from '../ir.ts';
import type { Operator } from './operator.ts';
import { behindClients, type ClientsRule } from './over-clients.ts';
import { normaliseAxis, type ShapeRule, same } from './shape-rule.ts';

const shapeType: ShapeRule = (context) => {
  const { shape } = context.input(0);
  const start = intAttribute(context.node, 'start', 0);
  const end = intAttribute(context.node, 'end', shape.length);
  const part = shape.slice(start, end);
  return { types: [{ dtype: 'int64', shape: [part.length] }], integers: part };
};

const sizeType: ShapeRule = (context) => {
  const size = productOfDims(context.input(0).shape);
  return { types: [{ dtype: 'int64', shape: [] }], integers: [size] };
};

const rangeType: ShapeRule = (context) => {
  const [start, limit, step] = [context.integers(0)?.[0], context.integers(1)?.[0], context.integers(2)?.[0]];
  const { dtype } = context.input(0);
  if (start === 0 && step === 1 && limit !== undefined) {
    const length = typeof limit === 'number' ? Math.max(0, Math.ceil(limit)) : limit;
    const integers = typeof length === 'number' && length <= 1024 ? Array.from({ length }, (_, i) => i) : undefined;
    return { types: [{ dtype, shape: [length] }], integers };
  }
  return same({ dtype, shape: [`${context.node.outputs[0]}_0`] });
};

const constantOfShapeType: ShapeRule = (context) => {
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

/** The sizes of each client's own value, which all have in common. */
const shapeOverClients: ClientsRule = ({ node, rank, write }) => {
  // Bounds beyond the axes mean the first or the last of the client's own.
  const bound = (name: string, fallback: number) => {
    const axis = normaliseAxis(intAttribute(node, name, fallback), rank(0));
    return int(behindClients(Math.min(Math.max(axis, 0), rank(0))));
  };
  write('Shape', node.inputs, { start: bound('start', 0), end: bound('end', rank(0)) });
  return false;
};

/** As many elements as each client's own value has. */
const sizeOverClients: ClientsRule = ({ b, node, write }) => {
  write('ReduceProd', [b.op('Shape', node.inputs, { start: int(1) })], { keepdims: int(0) });
  return false;
};

/** Sizes, and what is made of sizes alone. */
export const sizeOperators: readonly Operator[] = [
  { op: 'Shape', infer: shapeType, gradient: 'zero', overClients: shapeOverClients },
  { op: 'Size', infer: sizeType, gradient: 'zero', overClients: sizeOverClients },
  { op: 'Range', infer: rangeType, gradient: 'zero' },
  { op: 'ConstantOfShape', infer: constantOfShapeType, gradient: 'zero' },
];
