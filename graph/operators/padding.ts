import { addDims } from '../dims.ts';
import { neg } from '../expressions.ts';
import { int, stringAttribute, text, toTheEnd } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { type GradientContext, gradientOfFirst, type Operator } from './operator.ts';
import { normaliseAxis, type ShapeRule, same } from './shape-rule.ts';

const padType: ShapeRule = (context) => {
  const { dtype, shape } = context.input(0);
  const pads = context.numbers(1, 'the pads');
  const axes = context.hasInput(3) ? context.numbers(3, 'the axes') : shape.map((_, i) => i);
  const result = [...shape];
  for (const [i, axis] of axes.entries()) {
    const at = normaliseAxis(axis, shape.length);
    result[at] = addDims(shape[at]!, pads[i]! + pads[i + axes.length]!);
  }
  return same({ dtype, shape: result });
};

/** Padding with a constant is undone by cutting; the other modes repeat elements, which get the sum over their copies. */
function padGradient(context: GradientContext): string {
  const { b, node, dy } = context;
  const axes = node.inputs[3];
  if (stringAttribute(node, 'mode', 'constant') !== 'constant') return copiesGradient(context);
  const pads = axes ? undefined : (b.knownIntegers(node.inputs[1]!) as readonly number[] | undefined);
  if (pads?.every((pad) => pad >= 0)) return cut(b, dy, pads);
  return b.op('Pad', [dy, neg(b, node.inputs[1]!), b.scalar(0), ...(axes ? [axes] : [])]);
}

/** Without what was padded. The runtime's slices take three quarters of the time of negative padding. */
function cut(b: GraphWriter, padded: string, pads: readonly number[]): string {
  const rank = pads.length / 2;
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => pads[axis]! + pads[axis + rank]! > 0);
  if (axes.length === 0) return padded;
  const ends = axes.map((axis) => (pads[axis + rank] === 0 ? toTheEnd : -pads[axis + rank]!));
  return b.op('Slice', [padded, b.axes(axes.map((axis) => pads[axis]!)), b.axes(ends), b.axes(axes)]);
}

/**
 * Axis by axis, the last first: padding the numbers 0, 1, … of an axis in the same way tells which element each element of the output was
 * copied from, and the gradient is added up there.
 */
function copiesGradient({ b, node, x, dy }: GradientContext): string {
  const rank = b.rank(x(0));
  const pads = b.knownIntegers(node.inputs[1]!) as readonly number[];
  const given = node.inputs[3] ? (b.knownIntegers(node.inputs[3]) as readonly number[]) : undefined;
  const axes = given?.map((axis) => normaliseAxis(axis, rank)) ?? Array.from({ length: rank }, (_, i) => i);
  const mode = { mode: text(stringAttribute(node, 'mode', 'constant')) };
  let gradient = dy;
  for (const [i, axis] of [...axes.entries()].sort(([, a], [, other]) => other - a)) {
    const [before, after] = [pads[i]!, pads[i + axes.length]!];
    if (before === 0 && after === 0) continue;
    const size = b.op('Squeeze', [b.op('Shape', [x(0)], { start: int(axis), end: int(axis + 1) }), b.axes([0])]);
    const numbers = b.op('Range', [b.index(0), size, b.index(1)]);
    const source = b.op('Pad', [numbers, b.axes([before, after])], mode);
    const column = b.reshape(
      source,
      Array.from({ length: rank }, (_, a) => (a === axis ? -1 : 1)),
    );
    const behind = b.op('Shape', [x(0)], { start: int(axis) });
    const front = b.op('Shape', [dy], { start: int(0), end: int(axis) });
    const shape = axis === 0 ? behind : b.op('Concat', [front, behind], { axis: int(0) });
    const indices = b.op('Expand', [column, b.shapeOf(gradient)]);
    const zeros = b.op('ConstantOfShape', [shape]);
    gradient = b.op('ScatterElements', [zeros, indices, gradient], { axis: int(axis), reduction: text('add') });
  }
  return gradient;
}

export const paddingOperators: readonly Operator[] = [
  { op: 'Pad', infer: padType, gradient: gradientOfFirst(['x1'], padGradient) },
];
