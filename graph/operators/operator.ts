import type { Node } from '../ir.ts';
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
