import type { Attributes, Node } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';

/** What a gradient rule sees: the forward node, the gradients of its outputs, and a builder to write the backward nodes with. */
export interface GradientContext {
  readonly b: GraphWriter;
  readonly node: Node;
  /** Name of the i-th forward input. */
  readonly x: (index: number) => string;
  /** Name of the i-th forward output. */
  readonly y: (index?: number) => string;
  /** Gradient of the first output. */
  readonly dy: string;
  /** Gradients of all outputs; undefined where none flows back. */
  readonly dys: readonly (string | undefined)[];
  /** Whether the gradient of the i-th input is asked for. */
  readonly needs: (index: number) => boolean;
}

/** Gradients of the inputs, in order; undefined for one that was not asked for or has none. */
export type Gradients = readonly (string | undefined)[];

export interface GradientRule {
  readonly op: string;
  /** Which forward values the backward pass reads, for docs and memory estimates: inputs x0, x1 …, outputs y0 … */
  readonly reads: readonly string[];
  readonly gradient: (context: GradientContext) => Gradients;
}

/** The rule of an operator with one differentiable input. */
export function unaryRule(
  op: string,
  reads: readonly string[],
  gradient: (context: GradientContext) => string,
): GradientRule {
  return { op, reads, gradient: (context) => [gradient(context)] };
}

export const mul = (b: GraphWriter, x: string, y: string): string => b.op('Mul', [x, y]);
export const add = (b: GraphWriter, x: string, y: string): string => b.op('Add', [x, y]);
export const sub = (b: GraphWriter, x: string, y: string): string => b.op('Sub', [x, y]);
export const div = (b: GraphWriter, x: string, y: string): string => b.op('Div', [x, y]);
export const neg = (b: GraphWriter, x: string): string => b.op('Neg', [x]);
export const scale = (b: GraphWriter, x: string, factor: number): string => b.op('Mul', [x, b.scalar(factor)]);

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
