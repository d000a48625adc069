import { ModelError } from '../errors.ts';
import {
  type Attributes,
  type DataType,
  type Dim,
  elementCount,
  float32Tensor,
  type Graph,
  int64Tensor,
  type Node,
  type Tensor,
  type Value,
  type ValueType,
} from './ir.ts';
import { inferNode } from './operators/infer.ts';
import type { GraphWriter, NodeOptions } from './writer.ts';

/** What is shared by a builder and those of its subgraphs. */
interface Shared {
  counter: number;
  readonly names: Set<string>;
  readonly constantsByContent: Map<string, string>;
}

/**
 * Writes a graph node by node, in canonical form (opset 21 spelling), and knows the type of every value: the typed graph that the
 * passes hand on. Each node's output types are inferred as it is added; integer arithmetic on known values is folded. What its
 * methods do is said in `GraphWriter`.
 */
export class GraphBuilder implements GraphWriter {
  readonly inputs: Value[] = [];
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  private readonly types = new Map<string, ValueType>();
  private readonly integers = new Map<string, readonly Dim[]>();
  readonly parent: GraphBuilder | undefined;
  private readonly shared: Shared;
  private scope = '';

  constructor(parent?: GraphBuilder) {
    this.parent = parent;
    this.shared = parent?.shared ?? { counter: 0, names: new Set(), constantsByContent: new Map() };
    this.scope = parent?.scope ?? '';
  }

  subgraph(): GraphBuilder {
    return new GraphBuilder(this);
  }

  /** An empty graph that gives no value of its own a name from this one. */
  successor(): GraphBuilder {
    const successor = new GraphBuilder();
    for (const name of this.shared.names) successor.shared.names.add(name);
    return successor;
  }

  within<T>(scope: string, write: () => T): T {
    const outer = this.scope;
    this.scope = [outer, scope].filter((part) => part !== '').join('/');
    try {
      return write();
    } finally {
      this.scope = outer;
    }
  }

  input(name: string, dtype: DataType, shape: readonly Dim[]): string {
    this.shared.names.add(name);
    this.inputs.push({ name, dtype, shape });
    this.types.set(name, { dtype, shape });
    return name;
  }

  declare(name: string, type: ValueType): void {
    this.shared.names.add(name);
    this.types.set(name, type);
  }

  constant(tensor: Tensor, name?: string): string {
    if (this.parent) return this.parent.constant(tensor, name);
    const count = elementCount(tensor.dims);
    const content =
      !name && count <= 64
        ? `${tensor.dtype}[${tensor.dims}]${Array.from(tensor.data as ArrayLike<unknown>, numberKey).join()}`
        : undefined;
    const known = content && this.shared.constantsByContent.get(content);
    if (known) return known;
    const unique = name ?? this.unique('constant');
    this.shared.names.add(unique);
    this.constants.set(unique, tensor);
    this.types.set(unique, { dtype: tensor.dtype, shape: tensor.dims });
    if (isInteger(tensor.dtype) && tensor.dims.length <= 2 && count <= 1024) {
      this.integers.set(unique, Array.from(tensor.data as ArrayLike<number | bigint>, Number));
    }
    if (content) this.shared.constantsByContent.set(content, unique);
    return unique;
  }

  scalar(value: number): string {
    return this.constant(float32Tensor([], [value]));
  }

  axes(values: readonly number[]): string {
    return this.constant(int64Tensor([values.length], values));
  }

  index(value: number): string {
    return this.constant(int64Tensor([], [value]));
  }

  type(name: string): ValueType {
    const type = this.types.get(name) ?? this.parent?.findType(name);
    if (!type)
      throw new ModelError(`value '${name}' is used before anything produces it; the graph is not in execution order`);
    return type;
  }

  shape(name: string): readonly Dim[] {
    return this.type(name).shape;
  }

  rank(name: string): number {
    return this.shape(name).length;
  }

  has(name: string): boolean {
    return this.findType(name) !== undefined;
  }

  knownIntegers(name: string): readonly Dim[] | undefined {
    return this.integers.get(name) ?? this.parent?.knownIntegers(name);
  }

  constantTensor(name: string): Tensor | undefined {
    return this.constants.get(name) ?? this.parent?.constantTensor(name);
  }

  op(op: string, inputs: readonly string[], attributes: Attributes = {}, options: NodeOptions = {}): string {
    return this.node(op, inputs, attributes, options)[0]!;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    options: NodeOptions = {},
  ): readonly string[] {
    const domain = options.domain ?? '';
    const count = options.outputNames?.length ?? options.outputs ?? 1;
    const name = options.name ?? this.unique(this.scope ? `${this.scope}/${op}` : op);
    const outputs =
      options.outputNames ?? Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}:${i}`));
    const node: Node = { name, op, domain, inputs, outputs, attributes };
    const inferred = inferNode(node, this);
    const values = inferred.integers;
    if (
      values?.every((value) => typeof value === 'number') &&
      inferred.types[0]!.dtype === 'int64' &&
      !options.outputNames
    ) {
      const { shape } = inferred.types[0]!;
      const dims = shape.length < 2 ? shape.map(() => values.length) : (shape as number[]);
      return [this.constant(int64Tensor(dims, values as number[]))];
    }
    for (const [i, output] of outputs.entries()) {
      if (output === '') continue;
      const type = inferred.types[i];
      if (!type) throw new ModelError(`node '${name}' (${op}): output ${i} has no known type`);
      this.types.set(output, type);
      this.shared.names.add(output);
    }
    if (values) this.integers.set(outputs[0]!, values);
    this.nodes.push(node);
    return outputs;
  }

  control(
    op: 'Loop' | 'Scan' | 'If',
    inputs: readonly string[],
    attributes: Attributes,
    outputs: readonly Value[],
  ): readonly string[] {
    for (const { name, dtype, shape } of outputs) this.declare(name, { dtype, shape });
    const names = outputs.map((output) => output.name);
    this.nodes.push({
      name: this.unique(this.scope ? `${this.scope}/${op}` : op),
      op,
      domain: '',
      inputs,
      outputs: names,
      attributes,
    });
    return names;
  }

  shapeOf(name: string): string {
    return this.op('Shape', [name]);
  }

  reshape(name: string, shape: readonly number[]): string {
    return this.op('Reshape', [name, this.axes(shape)]);
  }

  build(name: string, outputs: readonly string[]): Graph {
    const nodes = [...this.nodes];
    const read = new Set([...outputs, ...nodes.flatMap(namesRead)]);
    return {
      name,
      inputs: this.inputs,
      outputs: outputs.map((output) => ({ name: output, ...this.type(output) })),
      nodes,
      constants: new Map([...this.constants].filter(([constant]) => read.has(constant))),
    };
  }

  unique(stem: string): string {
    let name = stem;
    while (this.shared.names.has(name)) name = `${stem}_${++this.shared.counter}`;
    this.shared.names.add(name);
    return name;
  }

  private findType(name: string): ValueType | undefined {
    return this.types.get(name) ?? this.parent?.findType(name);
  }
}

/** Every name a node reads, those read inside its subgraphs included. */
export function namesRead(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind !== 'graph') continue;
    const graph = attribute.value;
    for (const inner of graph.nodes) names.push(...namesRead(inner));
    names.push(...graph.outputs.map((output) => output.name));
  }
  return names;
}

function isInteger(dtype: DataType): boolean {
  return dtype === 'int64' || dtype === 'int32';
}

/** Spells −0 and 0 apart, so that they are not taken for one constant. */
function numberKey(value: unknown): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
