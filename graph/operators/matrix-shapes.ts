import { type Dim, intAttribute } from '../ir.ts';
import { broadcastShapes } from './elementwise.ts';
import { einsumEquation, subscriptSizes } from './equation.ts';
import { type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

function contract(context: ShapeContext, a: Dim | undefined, b: Dim | undefined): void {
  if (typeof a === 'number' && typeof b === 'number' && a !== b) throw context.fail(`inner sizes ${a} and ${b} differ`);
}

function transposed(shape: readonly Dim[], transpose: boolean): readonly Dim[] {
  return transpose ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
}

const matMul: ShapeRule = (context) => {
  const left = context.input(0);
  const a = transposed(left.shape, intAttribute(context.node, 'transA', 0) === 1);
  const b = transposed(context.input(1).shape, intAttribute(context.node, 'transB', 0) === 1);
  if (a.length === 0 || b.length === 0) throw context.fail('a scalar cannot be multiplied as a matrix');
  contract(context, a.at(-1), b.length === 1 ? b[0] : b.at(-2));
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
  const rows = a.length === 1 ? [] : [a.at(-2)!];
  const columns = b.length === 1 ? [] : [b.at(-1)!];
  return same({ dtype: left.dtype, shape: [...batch, ...rows, ...columns] });
};

const einsum: ShapeRule = (context) => {
  const shapes = context.node.inputs.map((_, i) => context.input(i).shape);
  const equation = einsumEquation(
    context.node,
    shapes.map((shape) => shape.length),
  );
  const sizes = subscriptSizes(context.node, equation, shapes);
  return same({ dtype: context.input(0).dtype, shape: [...equation.result].map((letter) => sizes.get(letter)!) });
};

export const matrixShapes: Record<string, ShapeRule> = {
  Einsum: einsum,
  MatMul: matMul,
  FusedMatMul: matMul,
  Gemm: (context) => {
    const a = transposed(context.input(0).shape, intAttribute(context.node, 'transA', 0) === 1);
    const b = transposed(context.input(1).shape, intAttribute(context.node, 'transB', 0) === 1);
    if (a.length !== 2 || b.length !== 2) throw context.fail('both matrices must have two dimensions');
    contract(context, a[1], b[0]);
    return same({ dtype: context.input(0).dtype, shape: [a[0]!, b[1]!] });
  },
};
