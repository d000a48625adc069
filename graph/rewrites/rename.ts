import type { Attribute, Attributes, Graph, Node } from '../ir.ts';

/** The node with other names for what it reads, inside its subgraphs too. */
export function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  const inputs = node.inputs.map((name) => names.get(name) ?? name);
  const attributes = renamedAttributes(node.attributes, names);
  const same = attributes === node.attributes && inputs.every((name, i) => name === node.inputs[i]);
  return same ? node : { ...node, inputs, attributes };
}

function renamedAttributes(attributes: Attributes, names: ReadonlyMap<string, string>): Attributes {
  const entries = Object.entries(attributes);
  if (names.size === 0 || !entries.some(([, { kind }]) => kind === 'graph')) return attributes;
  return Object.fromEntries(
    entries.map(([name, attribute]): [string, Attribute] =>
      attribute.kind === 'graph'
        ? [name, { kind: 'graph', value: renamedGraph(attribute.value, names) }]
        : [name, attribute],
    ),
  );
}

function renamedGraph(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renamed(node, names)),
    outputs: graph.outputs.map((output) => ({ ...output, name: names.get(output.name) ?? output.name })),
  };
}
