/**
 * The typed graph that every pass reads and writes: ONNX without its protobuf spelling.
 * Values are named; a name has one producer (an input, a constant or a node output).
 */

export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int64'
  | 'int32'
  | 'uint32'
  | 'bool'
  | 'uint8'
  | 'int8'
  | 'string';

/** A size known at compile time, or an expression over the model's symbolic dimensions, such as `batch` or `floor((frames-1)/4)`. */
export type Dim = number | string;

export interface ValueType {
  readonly dtype: DataType;
  readonly shape: readonly Dim[];
}

export interface Value extends ValueType {
  readonly name: string;
}

export type TensorArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int8Array;

/** A constant tensor; bool is one byte per element, float16 its raw bits. */
export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorArray;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** An operator call. An optional input or output that is left out is the empty string, as in ONNX. */
export interface Node {
  readonly name: string;
  readonly op: string;
  /** '' for the standard operators, 'com.microsoft' for onnxruntime's own. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** In an order in which each node stands after its producers. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
}

export interface Model {
  readonly graph: Graph;
  /** Version of the standard operator set. */
  readonly opset: number;
  /** The constants that are trained, in the order in which they stand in the flat parameter vector. */
  readonly weights: readonly string[];
}

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });

/** A node's integer attribute, or `fallback` when it is absent. */
export function intAttribute(node: Pick<Node, 'attributes'>, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function floatAttribute(node: Pick<Node, 'attributes'>, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

export function intsAttribute(node: Pick<Node, 'attributes'>, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}

export function stringAttribute(node: Pick<Node, 'attributes'>, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === 'string' ? attribute.value : fallback;
}

/** Number of elements of a tensor with these sizes; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** An end of a slice beyond every axis. */
export const toTheEnd = 2 ** 62;

export function float32Tensor(dims: readonly number[], data: ArrayLike<number>): Tensor {
  return { dtype: 'float32', dims, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** Whether a tensor is float32 and all its elements are `value`. */
export function isFilled(tensor: Tensor | undefined, value: number): boolean {
  return tensor?.dtype === 'float32' && (tensor.data as Float32Array).every((element) => element === value);
}

export function uint32Tensor(dims: readonly number[], data: ArrayLike<number>): Tensor {
  return { dtype: 'uint32', dims, data: Uint32Array.from(data) };
}

export function int64Tensor(dims: readonly number[], data: readonly number[]): Tensor {
  return { dtype: 'int64', dims, data: BigInt64Array.from(data, saturated) };
}

/** The largest int64, by which exporters mean "to the end", becomes 2⁶³ as a number, which would wrap around. */
function saturated(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
}
