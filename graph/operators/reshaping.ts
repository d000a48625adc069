import { cancelProduct, productOfDims } from '../dims.ts';
import { type Dim, int, intAttribute } from '../ir.ts';
import { dataTypeCode, dataTypeOf } from '../onnx/tensor.ts';
import { castKnown } from './known-numbers.ts';
import { type GradientContext, gradientOfFirst, type Operator } from './operator.ts';
import { axesBehindClients, type ClientsRule, elementByElement, onlyFirstDiffers } from './over-clients.ts';
import { normaliseAxis, type ShapeRule, same } from './shape-rule.ts';

const reshapeType: ShapeRule = (context) => {
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

const flattenType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const axis = normaliseAxis(intAttribute(context.node, 'axis', 1), shape.length);
  return same({ dtype, shape: [productOfDims(shape.slice(0, axis)), productOfDims(shape.slice(axis))] });
};

const squeezeType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const given = context.hasInput(1) ? context.numbers(1, 'the axes') : undefined;
  const axes = new Set(given?.map((axis) => normaliseAxis(axis, shape.length)));
  const kept = shape.filter((dim, axis) => (given ? !axes.has(axis) : dim !== 1));
  return { types: [{ dtype, shape: kept }], integers: context.integers(0) };
};

const unsqueezeType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const given = context.numbers(1, 'the axes');
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => normaliseAxis(axis, rank)));
  const rest = [...shape];
  const widened = Array.from({ length: rank }, (_, axis): Dim => (axes.has(axis) ? 1 : rest.shift()!));
  return { types: [{ dtype, shape: widened }], integers: rank <= 1 ? context.integers(0) : undefined };
};

const identityType: ShapeRule = (context) => ({ types: [context.input(0)], integers: context.integers(0) });

const castType: ShapeRule = (context) => {
  const dtype = dataTypeOf(intAttribute(context.node, 'to', 1), `node '${context.node.name}'`);
  return { types: [{ ...context.input(0), dtype }], integers: castKnown(context.integers(0), dtype) };
};

/** The gradient is reshaped back. */
const shapedBack = gradientOfFirst([], ({ b, x, dy }: GradientContext) => b.op('Reshape', [dy, b.shapeOf(x(0))]));

/** Between floating-point types the gradient is cast back; rounding to integers has none. */
function castGradient({ b, x, y, dy }: GradientContext): string | undefined {
  const [from, to] = [b.type(x(0)).dtype, b.type(y()).dtype];
  if (!from.startsWith('float') || !to.startsWith('float')) return undefined;
  return from === to ? dy : b.op('Cast', [dy], { to: int(dataTypeCode(from)) });
}

const reshapeOverClients: ClientsRule = (context) => {
  const { b, node, write } = context;
  if (!onlyFirstDiffers(context) || intAttribute(node, 'allowzero', 0) === 1) return undefined;
  // 0 keeps the size of the same axis, both of which are one further back.
  write('Reshape', [node.inputs[0]!, b.op('Concat', [b.axes([0]), node.inputs[1]!], { axis: int(0) })]);
  return true;
};

const flattenOverClients: ClientsRule = ({ b, node, write }) => {
  if (intAttribute(node, 'axis', 1) !== 1) return undefined;
  write('Reshape', [node.inputs[0]!, b.axes([0, 0, -1])]);
  return true;
};

const sizesOfOneOverClients: ClientsRule = (context) => {
  const { b, node, write } = context;
  const axes = node.inputs[1] ? axesBehindClients(context, 1) : undefined;
  if (!axes || !onlyFirstDiffers(context)) return undefined;
  write(node.op, [node.inputs[0]!, b.axes(axes)]);
  return true;
};

/** Operators that leave every element where it is, and change the shape or the type alone. */
export const reshapingOperators: readonly Operator[] = [
  { op: 'Reshape', infer: reshapeType, gradient: shapedBack, view: true, overClients: reshapeOverClients },
  { op: 'Flatten', infer: flattenType, gradient: shapedBack, view: true, overClients: flattenOverClients },
  {
    op: 'Squeeze',
    infer: squeezeType,
    gradient: shapedBack,
    attributesMadeInputs: [['axes', 1]],
    view: true,
    overClients: sizesOfOneOverClients,
  },
  {
    op: 'Unsqueeze',
    infer: unsqueezeType,
    gradient: shapedBack,
    attributesMadeInputs: [['axes', 1]],
    view: true,
    overClients: sizesOfOneOverClients,
  },
  {
    op: 'Identity',
    infer: identityType,
    gradient: gradientOfFirst([], ({ dy }) => dy),
    view: true,
    overClients: elementByElement,
  },
  { op: 'Cast', infer: castType, gradient: gradientOfFirst([], castGradient), overClients: elementByElement },
  {
    op: 'CastLike',
    decomposition: {
      into: 'a Cast',
      write: (b, _, inputs) => b.op('Cast', [inputs[0]!], { to: int(dataTypeCode(b.type(inputs[1]!).dtype)) }),
    },
  },
];
