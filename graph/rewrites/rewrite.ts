import { type GraphBuilder, namesRead } from '../builder.ts';
import { intAttribute, type Node } from '../ir.ts';

/**
 * Changes the nodes of a graph, not its values: whatever is read from outside (`outputs`, and names a subgraph reads) keeps its name
 * and, up to rounding, its numbers.
 */
export type Rewrite = (b: GraphBuilder, outputs: readonly string[]) => void;

/** Who writes and reads the values of a graph, as it stood before a rewrite. */
export interface GraphView {
  readonly b: GraphBuilder;
  /** The node a value comes from; undefined for inputs, constants and values of an outer graph. */
  readonly producer: (value: string) => Node | undefined;
  /** Nodes that read a value, those included whose subgraphs do. */
  readonly readers: (value: string) => readonly Node[];
  /** Whether the graph gives the value to the outside. */
  readonly isOutput: (value: string) => boolean;
}

/** Says how to write a node differently: a function that writes its replacement, which gives the node's outputs under the same names. */
export type Match = (node: Node, view: GraphView) => (() => void) | undefined;

/** A rewrite that replaces nodes one by one, each by nodes in its place. */
export function replacing(match: Match): Rewrite {
  return (b, outputs) => {
    const view = viewOf(b, outputs);
    for (const node of b.nodes.splice(0)) {
      const write = match(node, view);
      // What stands in a node's place is named after what the node was for.
      if (write) b.within(node.name.slice(0, Math.max(0, node.name.lastIndexOf('/'))), write);
      else b.nodes.push(node);
    }
  };
}

export function viewOf(b: GraphBuilder, outputs: readonly string[]): GraphView {
  const producers = new Map<string, Node>();
  const readers = new Map<string, Node[]>();
  for (const node of b.nodes) {
    for (const output of node.outputs) producers.set(output, node);
    for (const name of new Set(namesRead(node))) {
      const known = readers.get(name);
      if (known) known.push(node);
      else readers.set(name, [node]);
    }
  }
  const kept = new Set(outputs);
  return {
    b,
    producer: (value) => producers.get(value),
    readers: (value) => readers.get(value) ?? [],
    isOutput: (value) => kept.has(value),
  };
}

/** The number that a float32 constant of one element holds, a scalar or a vector. */
export function numberOf(b: GraphBuilder, value: string): number | undefined {
  const tensor = b.constantTensor(value);
  const isOne = tensor?.dtype === 'float32' && tensor.dims.length <= 1 && tensor.data.length === 1;
  return isOne ? Number(tensor.data[0]) : undefined;
}

/** Whether a node sums the squares of a value over all axes to a scalar. */
export function isTotal(node: Node): boolean {
  return (
    node.op === 'ReduceSumSquare' &&
    !node.inputs[1] &&
    intAttribute(node, 'keepdims', 1) === 0 &&
    intAttribute(node, 'noop_with_empty_axes', 0) === 0
  );
}
