import { addDims, floorDivideDims, multiplyDims, subtractDims } from '../dims.ts';
import { type DataType, type Dim, intAttribute, type Node } from '../ir.ts';
import { broadcastType } from './broadcast.ts';
import type { ShapeContext, ShapeRule } from './shape-rule.ts';

/**
 * Shape arithmetic, carried out when the graph is compiled. Exporters take some of it through floating point (sizes cast, divided, rounded up and cast
 * back): that is followed where every size is a number.
 */
type Calculate = (a: Dim, b: Dim, dtype: DataType, node: Node) => Dim | undefined;

/** Longer constants are no shape arithmetic. */
const longest = 64;

const isFloat = (dtype: DataType): boolean => dtype === 'float32' || dtype === 'float64';

/** A number as a value of the type holds it; undefined for what no shape arithmetic should go on with. */
function rounded(value: Dim | undefined, dtype: DataType): Dim | undefined {
  if (typeof value !== 'number') return value;
  if (!Number.isFinite(value)) return undefined;
  return dtype === 'float32' ? Math.fround(value) : value;
}

/** Known elements of an input, or those of a short floating-point constant. */
function elements(context: ShapeContext, index: number): readonly Dim[] | undefined {
  const known = context.integers(index);
  if (known) return known;
  const constant = context.hasInput(index) ? context.constant(index) : undefined;
  if (!constant || !isFloat(constant.dtype) || constant.dims.length > 1 || constant.data.length > longest)
    return undefined;
  return Array.from(constant.data as Float32Array);
}

function allKnown(values: readonly (Dim | undefined)[]): readonly Dim[] | undefined {
  return values.every((value): value is Dim => value !== undefined) ? values : undefined;
}

/** A broadcasting operator of two or more inputs, from left to right. */
export function broadcastOnKnown(calculate: Calculate): ShapeRule {
  return (context) => {
    const { dtype } = context.input(0);
    const type = broadcastType(context, dtype);
    const { inputs } = context.node;
    const sizes = type.shape.length <= 1 && inputs.some((_, i) => context.integers(i));
    const operands = sizes ? allOperands(inputs.map((_, i) => elements(context, i))) : undefined;
    if (!operands) return { types: [type] };
    const length = operands.some((values) => values.length === 0) ? 0 : Math.max(...operands.map((v) => v.length));
    const results = Array.from({ length }, (_, i) => {
      const [first, ...others] = operands.map((values): Dim | undefined => values[values.length === 1 ? 0 : i]);
      return others.reduce((a, b) => {
        if (a === undefined || b === undefined) return undefined;
        return rounded(calculate(a, b, dtype, context.node), dtype);
      }, first);
    });
    return { types: [type], integers: allKnown(results) };
  };
}

function allOperands(operands: readonly (readonly Dim[] | undefined)[]): readonly (readonly Dim[])[] | undefined {
  return operands.every((values): values is readonly Dim[] => values !== undefined) ? operands : undefined;
}

/** An operator on each element. */
export function eachKnown(calculate: (value: Dim) => Dim | undefined): ShapeRule {
  return (context) => {
    const type = context.input(0);
    return { types: [type], integers: allKnown(context.integers(0)?.map(calculate) ?? [undefined]) };
  };
}

/** An operator on each element that is known where the element is a number. */
export const eachKnownNumber = (calculate: (value: number) => number): ShapeRule =>
  eachKnown((value) => (typeof value === 'number' ? calculate(value) : undefined));

/** Clip, whose bounds may be left out. */
export const clipKnown: ShapeRule = (context) => {
  const bound = (index: number, open: number) => (context.hasInput(index) ? elements(context, index)?.[0] : open);
  const [low, high] = [bound(1, Number.NEGATIVE_INFINITY), bound(2, Number.POSITIVE_INFINITY)];
  if (typeof low !== 'number' || typeof high !== 'number') return { types: [context.input(0)] };
  return eachKnownNumber((value) => Math.min(Math.max(value, low), high))(context);
};

/** The elements of a Cast: sizes to floating point and back, where they are cut off. */
export function castKnown(values: readonly Dim[] | undefined, to: DataType): readonly Dim[] | undefined {
  if (to === 'int64' || to === 'int32')
    return values?.map((value) => (typeof value === 'number' ? Math.trunc(value) + 0 : value));
  if (!isFloat(to) || !values?.every((value) => typeof value === 'number')) return undefined;
  return allKnown(values.map((value) => rounded(value, to)));
}

/** Integers are divided toward zero, as onnxruntime does it. */
const divide: Calculate = (a, b, dtype) => {
  if (b === 0) return undefined;
  if (typeof a !== 'number' || typeof b !== 'number') return floorDivideDims(a, b);
  return isFloat(dtype) ? a / b : Math.trunc(a / b) + 0;
};

/** The remainder has the sign of the divisor, or with `fmod` that of the dividend. */
const remainder: Calculate = (a, b, _, node) => {
  if (b === 0) return undefined;
  if (b === 1 && typeof a === 'string') return 0;
  if (typeof a === 'string' || typeof b === 'string')
    return typeof b === 'number' && b < 0 ? undefined : `mod(${a},${b})`;
  return (intAttribute(node, 'fmod', 0) === 1 ? a % b : ((a % b) + b) % b) + 0;
};

const extreme =
  (choose: (a: number, b: number) => number): Calculate =>
  (a, b) => {
    if (a === b) return a;
    return typeof a === 'number' && typeof b === 'number' ? choose(a, b) : undefined;
  };

/** The shape rules of arithmetic with two operands, or more. */
export const knownArithmetic = {
  add: broadcastOnKnown(addDims),
  subtract: broadcastOnKnown(subtractDims),
  multiply: broadcastOnKnown(multiplyDims),
  divide: broadcastOnKnown(divide),
  remainder: broadcastOnKnown(remainder),
  largest: broadcastOnKnown(extreme(Math.max)),
  smallest: broadcastOnKnown(extreme(Math.min)),
} as const;

/** To the nearest integer, halves to the even one. */
export function roundHalfToEven(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
