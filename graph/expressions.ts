import { type Attributes, float32Tensor } from './ir.ts';
import type { GraphWriter } from './writer.ts';

/** Arithmetic on values, by their names. */
export const mul = (b: GraphWriter, x: string, y: string): string => b.op('Mul', [x, y]);
export const add = (b: GraphWriter, x: string, y: string): string => b.op('Add', [x, y]);
export const sub = (b: GraphWriter, x: string, y: string): string => b.op('Sub', [x, y]);
export const div = (b: GraphWriter, x: string, y: string): string => b.op('Div', [x, y]);
export const neg = (b: GraphWriter, x: string): string => b.op('Neg', [x]);
export const scale = (b: GraphWriter, x: string, factor: number): string => b.op('Mul', [x, b.scalar(factor)]);

/** A vector of `size` times the same number, one for all who ask. */
export function filled(b: GraphWriter, size: number, value: 0 | 1): string {
  const name = `${value === 0 ? 'zeros' : 'ones'}/${size}`;
  return b.has(name) ? name : b.constant(float32Tensor([size], new Float32Array(size).fill(value)), name);
}

/** Zeros of the value's shape. */
export function zerosLike(b: GraphWriter, value: string): string {
  return b.op('ConstantOfShape', [b.shapeOf(value)]);
}

/** Sum over axes; the summed axes stay with size 1 when `keep`. */
export function reduceSum(b: GraphWriter, x: string, axes: readonly number[], keep = true): string {
  return b.op('ReduceSum', [x, b.axes(axes)], { keepdims: { kind: 'int', value: keep ? 1 : 0 } });
}

/** Matrix product with transposed operands where asked, by onnxruntime's FusedMatMul, which needs no transposed copy. */
export function matMul(b: GraphWriter, x: string, y: string, transX = false, transY = false): string {
  if (!transX && !transY) return b.op('MatMul', [x, y]);
  const attributes: Attributes = {
    transA: { kind: 'int', value: Number(transX) },
    transB: { kind: 'int', value: Number(transY) },
  };
  return b.op('FusedMatMul', [x, y], attributes, { domain: 'com.microsoft' });
}
