import { ModelError } from '../errors.ts';
import { type BatchPlace, reshapedPlace } from './batch-axis.ts';
import { GraphBuilder } from './builder.ts';
import { ForwardWriter, writeForward } from './import.ts';
import { type Dim, elementCount, int, int64Tensor, intAttribute, type Model, type Node, type Tensor } from './ir.ts';

/** How many examples every input of a model holds, if the file fixes it. */
export function fixedBatch({ graph }: Model): number | undefined {
  const sizes = new Set(graph.inputs.map(({ shape }) => shape[0]));
  const [size] = sizes;
  return sizes.size === 1 && typeof size === 'number' ? size : undefined;
}

/**
 * A model for batches of any size out of one for batches of a fixed size, which exporters write where nobody asks them for more: they put the size
 * into reshapes, expansions and initial states, and leave out to repeat what there is once per example. For one model in many this is a guess, above all for a
 * batch of one; whoever uses it compares what both give.
 * @param size `fixedBatch` of the model
 * @returns undefined when there is no telling where the examples lie
 */
export function openBatch(model: Model, size: number): Model | undefined {
  try {
    return new Opening(model, size).open();
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

class Opening {
  private readonly model: Model;
  private readonly size: number;
  private readonly symbol: string;
  /** Knows the shapes for the fixed size. */
  private readonly closed = new GraphBuilder();
  private readonly closedNames: Map<string, string>;
  /** Knows those for any. */
  private readonly b = new GraphBuilder();
  private readonly names: Map<string, string>;
  private readonly constants: Map<string, Tensor>;
  private readonly nodes: Node[] = [];
  /** `BatchPlace.outer` where it is not 1. */
  private readonly outer = new Map<string, Dim>();
  private readonly writer: ForwardWriter;

  constructor(model: Model, size: number) {
    const { inputs, constants } = model.graph;
    this.model = model;
    this.size = size;
    const taken = new Set(inputs.flatMap(({ shape }) => shape));
    this.symbol = taken.has('batch') ? 'batch_axis' : 'batch';
    this.constants = new Map(constants);
    this.closedNames = new Map(
      inputs.map(({ name, dtype, shape }) => [name, this.closed.input(name, dtype, shape)] as const),
    );
    writeForward(this.closed, model, this.closedNames);
    this.names = new Map(
      inputs.map(({ name, dtype, shape }) => [name, this.b.input(name, dtype, [this.symbol, ...shape.slice(1)])]),
    );
    this.writer = new ForwardWriter(this.b, model, this.names);
  }

  open(): Model {
    const { graph } = this.model;
    for (const node of graph.nodes) {
      this.write(this.opened(node));
      for (const output of node.outputs) this.inherit(output, node);
    }
    const inputs = graph.inputs.map((input) => ({ ...input, shape: this.shape(input.name) }));
    const outputs = graph.outputs.map((output) => {
      const shape = this.shape(output.name);
      // Logits for CTC may have it behind the frames.
      if (!shape.slice(0, 2).includes(this.symbol)) throw new ModelError(`output '${output.name}' hides the batch`);
      return { ...output, shape };
    });
    return { ...this.model, graph: { ...graph, inputs, outputs, nodes: this.nodes, constants: this.constants } };
  }

  /** The node as it is for any batch. */
  private opened(node: Node): Node {
    switch (node.op) {
      case 'Reshape':
        return this.reshape(node);
      case 'Expand':
      case 'Tile':
        return this.repeat(node);
      case 'Concat':
        return this.concat(node);
      case 'Resize':
        return this.resize(node);
      case 'LSTM':
        return this.initialStates(node, [5, 6]);
      case 'GRU':
        return this.initialStates(node, [5]);
      default:
        return node;
    }
  }

  private reshape(node: Node): Node {
    const [x, target] = node.inputs as [string, string];
    const place = this.place(x);
    if (!place || !this.numbers(target)) return node;
    const result = this.closed.shape(this.closedNames.get(node.outputs[0]!)!);
    const shape = this.shape(x);
    const next = reshapedPlace(shape, place, result, this.size);
    if (!next) throw new ModelError(`node '${node.name}' mixes examples`);
    const sizes = result.map((dim, i) => {
      if (i === next.axis) return -1;
      if (typeof dim === 'number') return dim;
      if (dim !== shape[i]) throw new ModelError(`node '${node.name}' has two open sizes`);
      return 0;
    });
    if (next.outer !== 1) this.outer.set(node.outputs[0]!, next.outer);
    const { allowzero: _, ...attributes } = node.attributes;
    return { ...node, inputs: [x, this.vector(sizes)], attributes };
  }

  /** A repetition for each example of the fixed batch: the batch is there already, or what needs it once per example asks for it. */
  private repeat(node: Node): Node {
    const [x, target] = node.inputs as [string, string];
    const times = this.numbers(target);
    if (!times) return { ...node, inputs: [this.once(x, this.batchIn(target)), target] };
    const place = this.place(x);
    const shape = this.shape(x);
    const first = times.length - shape.length;
    const axis = place
      ? place.axis + first
      : times.findIndex((count, i) => count === this.size && (shape[i - first] ?? 1) === 1);
    if (this.size === 1 || times[axis] !== this.size) return node;
    return { ...node, inputs: [x, this.vector(times.with(axis, 1))] };
  }

  /** Parts that are the same for all examples, such as a class token, stand beside parts that are not. */
  private concat(node: Node): Node {
    const like = node.inputs.find((input) => this.place(input));
    if (like === undefined) return node;
    const { axis } = this.place(like)!;
    const rank = this.shape(like).length;
    if ((intAttribute(node, 'axis', 0) + rank) % rank === axis) return node;
    const spread = (part: string) => (this.place(part) ? part : this.spread(part, rank, axis, like, axis));
    return { ...node, inputs: node.inputs.map(spread) };
  }

  private resize(node: Node): Node {
    const [x] = node.inputs as [string];
    const target = node.inputs[3];
    const sizes = target ? this.numbers(target) : undefined;
    const place = this.place(x);
    if (!sizes || !place || sizes.length !== this.shape(x).length) return node;
    const all = this.sizesWith(sizes, place.axis, this.sizeOf(x, place.axis));
    return { ...node, inputs: node.inputs.with(3, all) };
  }

  /** Initial states [directions, batch, width]. */
  private initialStates(node: Node, positions: readonly number[]): Node {
    const [x] = node.inputs as [string];
    const place = this.place(x);
    if (!place) return node;
    const inputs = node.inputs.map((input, i) => {
      if (!positions.includes(i) || input === '' || this.place(input)) return input;
      return this.spread(input, 3, 1, x, place.axis);
    });
    return { ...node, inputs };
  }

  /** `input`, the same for all examples, as often as there are examples in `like`. */
  private spread(input: string, rank: number, axis: number, like: string, likeAxis: number): string {
    const one = this.once(input, axis);
    if (this.shape(one)[axis] !== 1) return input;
    const ones = Array.from({ length: rank }, () => 1);
    return this.add('Expand', [one, this.sizesWith(ones, axis, this.sizeOf(like, likeAxis))]);
  }

  /** A constant that holds the same for each example of the fixed batch, once; every other value as it is. */
  private once(value: string, axis: number): string {
    const tensor = this.constants.get(value);
    if (!tensor || this.size === 1 || tensor.dims[axis] !== this.size || this.model.weights.includes(value))
      return value;
    const { data, dims } = tensor;
    const width = elementCount(dims.slice(axis + 1));
    const first = data.filter((_: number | bigint, i: number) => Math.floor(i / width) % this.size === 0);
    const of = (i: number) => first[Math.floor(i / (width * this.size)) * width + (i % width)];
    if (!data.every((element: number | bigint, i: number) => element === of(i))) return value;
    return this.constant({ ...tensor, dims: dims.with(axis, 1), data: first });
  }

  /** Where a vector of sizes has that of the batch; -1: nowhere. */
  private batchIn(sizes: string): number {
    return this.b.knownIntegers(this.names.get(sizes) ?? '')?.findIndex((size) => this.isOfBatch(size)) ?? -1;
  }

  /** Sizes as a vector, that of `axis` taken from another. */
  private sizesWith(sizes: readonly number[], axis: number, size: string): string {
    const [before, after] = [sizes.slice(0, axis), sizes.slice(axis + 1)];
    const parts = [
      ...(before.length > 0 ? [this.vector(before)] : []),
      size,
      ...(after.length > 0 ? [this.vector(after)] : []),
    ];
    return this.add('Concat', parts, { axis: int(0) });
  }

  private sizeOf(value: string, axis: number): string {
    return this.add('Gather', [this.add('Shape', [value]), this.vector([axis])]);
  }

  private add(op: string, inputs: readonly string[], attributes: Node['attributes'] = {}): string {
    const name = this.unique(op);
    this.write({ name, op, domain: '', inputs, outputs: [name], attributes });
    return name;
  }

  private write(node: Node): void {
    this.writer.write(node);
    this.nodes.push(node);
  }

  private vector(values: readonly number[]): string {
    return this.constant(int64Tensor([values.length], values));
  }

  private constant(tensor: Tensor): string {
    const name = this.unique('constant');
    this.constants.set(name, tensor);
    this.names.set(name, this.b.constant(tensor));
    return name;
  }

  private unique(stem: string): string {
    for (let i = this.nodes.length; ; i++) {
      const name = `open_batch/${stem}_${i}`;
      if (!this.names.has(name)) return name;
    }
  }

  private shape(value: string): readonly Dim[] {
    const known = this.names.get(value);
    if (known === undefined) throw new ModelError(`'${value}' has no shape`);
    return this.b.shape(known);
  }

  /** A vector of integers, if it is the same for every batch. */
  private numbers(value: string): readonly number[] | undefined {
    const known = this.b.knownIntegers(this.names.get(value) ?? '');
    return known?.every((size) => typeof size === 'number') ? known : undefined;
  }

  /** @throws ModelError when examples meet each other */
  private place(value: string): BatchPlace | undefined {
    if (value === '') return undefined;
    const shape = this.shape(value);
    const axes = shape.flatMap((dim, axis) => (this.isOfBatch(dim) ? [axis] : []));
    if (axes.length > 1) throw new ModelError(`'${value}' has every example meet every other`);
    const [axis] = axes;
    if (axis === undefined) return undefined;
    return { axis, outer: shape[axis] === this.symbol ? 1 : (this.outer.get(value) ?? 1) };
  }

  private isOfBatch(dim: Dim): boolean {
    return typeof dim === 'string' && dim.match(/\w+/g)?.includes(this.symbol) === true;
  }

  /** An axis that holds more than the batch is made up as it is in the input that it comes from. */
  private inherit(output: string, { inputs }: Node): void {
    if (output === '' || !this.names.has(output) || this.outer.has(output)) return;
    const place = this.place(output);
    if (!place) return;
    const size = this.shape(output)[place.axis];
    const source = inputs.find((input) => this.outer.has(input) && this.shape(input).includes(size!));
    if (source !== undefined) this.outer.set(output, this.outer.get(source)!);
  }
}
