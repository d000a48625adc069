import type { Attributes, Dim, Tensor } from '../../graph/ir.ts';
import { elementCount } from '../../graph/ir.ts';
import { namedStream } from '../../random/stream.ts';

/** An input of the operator under test that the gradient is taken with respect to. */
export interface Variable {
  readonly kind: 'variable';
  readonly dims: readonly number[];
  /** What the compiler is told of the sizes; symbols for those it must not know. */
  readonly shape: readonly Dim[];
  readonly values: readonly number[];
}

/** An integer or boolean input that is known only when the graph runs. */
export interface Given {
  readonly kind: 'given';
  readonly dtype: 'int64' | 'bool';
  readonly dims: readonly number[];
  readonly shape: readonly Dim[];
  readonly values: readonly number[];
}

/** A constant, or undefined for an optional input that is left out. */
export type CaseInput = Variable | Given | Tensor | undefined;

/** A tensor of an oracle, row by row. */
export interface OracleTensor {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

/** One operator call whose gradient rule is compared with finite differences. */
export interface GradientCase {
  readonly title: string;
  readonly op: string;
  readonly inputs: readonly CaseInput[];
  readonly attributes?: Attributes;
  /** Number of outputs of the node. */
  readonly outputs?: number;
  /** The outputs that the loss depends on; the first when absent. */
  readonly cotangents?: readonly number[];
  /** Set when the operator is linear in each input, so that differences are exact at any step. */
  readonly linear?: boolean;
  /** The operator in float64, where onnxruntime has no kernel for that and float32 would be too coarse. */
  readonly oracle?: (inputs: readonly (OracleTensor | undefined)[]) => readonly OracleTensor[];
}

interface VariableOptions {
  readonly shape?: readonly Dim[];
  readonly low?: number;
  readonly high?: number;
  /** Values are kept at least this far from these points, where the operator has a kink. */
  readonly avoid?: readonly number[];
  readonly values?: readonly number[];
}

let drawn = 0;

/** A variable with uniform values in [low, high), by default [−2, 2). */
export function real(dims: readonly number[], options: VariableOptions = {}): Variable {
  const { low = -2, high = 2, avoid = [], values, shape = dims } = options;
  const stream = namedStream('gradient cases', 'values', drawn++);
  const draw = (): number => {
    const value = low + (high - low) * stream.uniform();
    return avoid.some((point) => Math.abs(value - point) < 0.25) ? draw() : value;
  };
  return { kind: 'variable', dims, shape, values: values ?? Array.from({ length: elementCount(dims) }, draw) };
}

/** A variable whose values all differ by at least 0.4, in random order, so that no difference step changes which one is largest. */
export function distinct(dims: readonly number[], options: VariableOptions = {}): Variable {
  const stream = namedStream('gradient cases', 'order', drawn++);
  const count = elementCount(dims);
  const values = Array.from({ length: count }, (_, i) => 0.4 * (i - count / 2) + 0.1);
  for (let i = count - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return real(dims, { ...options, values });
}

/** Integers that the compiler does not see. */
export function given(dims: readonly number[], values: readonly number[], shape: readonly Dim[] = dims): Given {
  return { kind: 'given', dtype: 'int64', dims, shape, values };
}

/** Booleans that the compiler does not see. */
export function flags(dims: readonly number[], values: readonly number[]): Given {
  return { kind: 'given', dtype: 'bool', dims, shape: dims, values };
}
