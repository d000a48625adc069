import type { Attributes, DataType, Dim, Graph, Tensor, Value, ValueType } from './ir.ts';

export interface NodeOptions {
  /** Number of outputs; more than one is read through `nodes`. */
  readonly outputs?: number;
  readonly domain?: string;
  readonly name?: string;
  /** Names of the outputs, where the caller must keep them. */
  readonly outputNames?: readonly string[];
}

/** How operators write nodes and ask about values: what they need of `GraphBuilder`, which itself needs to know the operators. */
export interface GraphWriter {
  /** A writer of a Loop or Scan body or a branch of an If, which may read every value of this one. */
  subgraph(): GraphWriter;

  /** Names nodes written in `write` after `scope`, so that a reader of the file sees what they are for. */
  within<T>(scope: string, write: () => T): T;

  input(name: string, dtype: DataType, shape: readonly Dim[]): string;

  /** A value that another graph or the runtime provides under this name. */
  declare(name: string, type: ValueType): void;

  constant(tensor: Tensor, name?: string): string;

  /** float32 scalar constant. */
  scalar(value: number): string;

  /** int64 vector constant. */
  axes(values: readonly number[]): string;

  /** int64 scalar constant. */
  index(value: number): string;

  type(name: string): ValueType;

  shape(name: string): readonly Dim[];

  rank(name: string): number;

  has(name: string): boolean;

  /** The elements of an integer scalar, vector or matrix (row by row), when they are known (numbers or symbolic dimensions). */
  knownIntegers(name: string): readonly Dim[] | undefined;

  constantTensor(name: string): Tensor | undefined;

  /** Adds a node and returns its first output. */
  op(op: string, inputs: readonly string[], attributes?: Attributes, options?: NodeOptions): string;

  /** Adds a node and returns its outputs. @throws ModelError when its types do not fit */
  node(op: string, inputs: readonly string[], attributes?: Attributes, options?: NodeOptions): readonly string[];

  /** Adds a node with a subgraph, whose output types the caller states. */
  control(
    op: 'Loop' | 'Scan' | 'If',
    inputs: readonly string[],
    attributes: Attributes,
    outputs: readonly Value[],
  ): readonly string[];

  /** The int64 shape vector of a value: a constant when every size is known. */
  shapeOf(name: string): string;

  reshape(name: string, shape: readonly number[]): string;

  /** The finished graph; constants that nothing reads are left out. */
  build(name: string, outputs: readonly string[]): Graph;

  /** A name that no value has yet: `stem`, or one that begins with it. */
  unique(stem: string): string;
}
