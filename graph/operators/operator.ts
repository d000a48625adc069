import type { Attributes, Dim, Node } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { type ClientsRule, elementByElement } from './over-clients.ts';
import { like, type ShapeRule } from './shape-rule.ts';

/** All that the compiler knows of one operator. */
export interface Operator {
  /** Its ONNX name. */
  readonly op: string;
  /** The types of its outputs; missing where only the decomposition is ever written. */
  readonly infer?: ShapeRule;
  /**
   * How gradient flows back through it; 'zero' where nothing is differentiated: shapes, indices, comparisons and values that depend on
   * none of the weights. Operators without it are taken apart, or written by the compiler alone where no gradient is taken.
   */
  readonly gradient?: GradientRule | 'zero';
  /** How it is written as several simpler operators on import, so that it needs no gradient of its own. */
  readonly decomposition?: Decomposition;
  /** Why a node cannot be trained, if it cannot. */
  readonly problem?: (node: Node) => string | undefined;
  /** Writes a node of a model that onnxruntime does not run as it is spelled there; returns its outputs. */
  readonly respell?: (
    b: GraphWriter,
    node: Node,
    inputs: readonly string[],
    attributes: Attributes,
  ) => readonly string[];
  /** Attributes that later operator sets made inputs, with the position of the input. The canonical form has the inputs. */
  readonly attributesMadeInputs?: readonly (readonly [attribute: string, position: number])[];
  /** How it is written for several clients in one run; models with operators that have no such rule train one client at a time. */
  readonly overClients?: ClientsRule;
  /** For estimates of compute. Products alone have it: beside them the rest costs little. */
  readonly multiplications?: Multiplications;
  /** Set when the output shares the memory of the input, for estimates of memory. */
  readonly view?: true;
}

/** How many multiplications a node takes, from the shapes of its values. */
export type Multiplications = (node: Node, shapeOf: (name: string) => readonly Dim[]) => number;

/** A value of the forward pass: an input x0, x1 …, all inputs x, or an output y0 … */
export type ForwardValue = 'x' | `x${number}` | `y${number}`;

export interface GradientRule {
  /** Which forward values the backward pass reads. Outputs among them are written also where a model does not ask for them. */
  readonly reads: readonly ForwardValue[];
  /** Writes the backward nodes. */
  readonly write: (context: GradientContext) => Gradients;
}

export interface Decomposition {
  /** What becomes of the operator, for docs and reports. */
  readonly into: string;
  /** Writes the node; returns its first output. */
  readonly write: (b: GraphWriter, node: Node, inputs: readonly string[], opset: number) => string;
}

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
  /** Largest mini-batch to expect: what pays for small ones does not for large ones. */
  readonly batchSize: number;
}

/** Gradients of the inputs, in order; undefined for one that was not asked for or has none. */
export type Gradients = readonly (string | undefined)[];

/** The rule of an operator of whose inputs only the first is differentiable. */
export function gradientOfFirst(
  reads: readonly ForwardValue[],
  gradient: (context: GradientContext) => string | undefined,
): GradientRule {
  return { reads, write: (context) => [gradient(context)] };
}

/** An operator whose output has the type of its first input, the only differentiable one. */
export function unary(
  op: string,
  reads: readonly ForwardValue[],
  gradient: (context: GradientContext) => string,
): Operator {
  return { op, infer: like(0), gradient: gradientOfFirst(reads, gradient) };
}

/**
 * Operators that treat every element by itself.
 * @param except those whose bits onnxruntime makes depend on an element's place: it computes the last few in another way
 */
export function elementwise(operators: readonly Operator[], except: readonly string[] = []): readonly Operator[] {
  return operators.map((operator) =>
    except.includes(operator.op) ? operator : { overClients: elementByElement, ...operator },
  );
}
