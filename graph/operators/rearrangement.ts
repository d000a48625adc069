import { reduceSum } from '../expressions.ts';
import { type Dim, int, intAttribute, stringAttribute } from '../ir.ts';
import { type GradientContext, type GradientRule, unaryRule } from './operator.ts';

/** A shape vector from sizes of a value, by axis, and numbers. */
function shapeFrom({ b }: GradientContext, value: string, parts: readonly ({ axis: number } | number)[]): string {
  const pieces = parts.map((part) =>
    typeof part === 'number'
      ? b.axes([part])
      : b.op('Shape', [value], { start: int(part.axis), end: int(part.axis + 1) }),
  );
  return b.op('Concat', pieces, { axis: int(0) });
}

/** The copies of a repeated tensor are laid out on axes of their own, then summed. */
function tileGradient(context: GradientContext): string {
  const { b, node, x, dy } = context;
  const repeats = b.knownIntegers(node.inputs[1]!) as readonly Dim[] as readonly number[];
  const apart = shapeFrom(
    context,
    x(0),
    repeats.flatMap((count, axis) => [count, { axis }]),
  );
  const copies = repeats.map((_, axis) => 2 * axis);
  return copies.length === 0 ? dy : reduceSum(b, b.op('Reshape', [dy, apart]), copies, false);
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

/** Operators that move elements in whole blocks or cut a triangle out. */
export const rearrangementRules: readonly GradientRule[] = [
  unaryRule('Tile', [], tileGradient),
  unaryRule('DepthToSpace', [], depthToSpaceGradient),
  unaryRule('SpaceToDepth', [], ({ b, node, dy }) =>
    b.op('DepthToSpace', [dy], { blocksize: int(intAttribute(node, 'blocksize', 1)) }),
  ),
  unaryRule('Trilu', [], ({ b, node, dy }) => b.op('Trilu', [dy, ...node.inputs.slice(1)], node.attributes)),
];
