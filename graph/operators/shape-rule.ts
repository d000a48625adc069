import type { ModelError } from '../../errors.ts';
import type { Dim, Node, Tensor, ValueType } from '../ir.ts';

export interface Inferred {
  readonly types: readonly ValueType[];
  /** Elements of the first output when it is a scalar, vector or matrix (row by row) of integers that are known, or of floats made of them. */
  readonly integers?: readonly Dim[];
}

/** Everything a shape rule sees of a node. */
export interface ShapeContext {
  readonly node: Node;
  readonly input: (index: number) => ValueType;
  readonly hasInput: (index: number) => boolean;
  readonly integers: (index: number) => readonly Dim[] | undefined;
  /** Known integer input that must be all numbers. @throws ModelError when it is not */
  readonly numbers: (index: number, what: string) => readonly number[];
  readonly constant: (index: number) => Tensor | undefined;
  readonly fail: (why: string) => ModelError;
}

export type ShapeRule = (context: ShapeContext) => Inferred;

/** A negative axis counted from the end. */
export function normaliseAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The inference of an operator with one output. */
export function same(type: ValueType): Inferred {
  return { types: [type] };
}

/** The shape rule of an operator whose output has the type of an input. */
export function like(index: number): ShapeRule {
  return (context) => same(context.input(index));
}
