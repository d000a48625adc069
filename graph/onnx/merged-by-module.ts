import type { Graph, Node } from '../ir.ts';
import { type Initialised, isFilled, withoutNumbers } from './merged-initializers.ts';
import type { NodeProto } from './schema.ts';

/** Where PyTorch's newer exporter notes the modules that a node stands in: `['', 'layers.0', 'layers.0.norm1', 'layer_norm']`. */
const scopesKey = 'pkg.torch.onnx.name_scopes';

/** The module of each node, by the node's first output, as far as the file tells; '' for the model itself. */
export function modulesOf(nodes: readonly NodeProto[]): Map<string, string> {
  const modules = new Map<string, string>();
  for (const { output, metadataProps } of nodes) {
    const scopes = metadataProps?.find(({ key }) => key === scopesKey)?.value ?? '';
    const names = [...scopes.matchAll(/'([^']*)'/g)].map(([, name]) => name!);
    if (names.length > 1 && output?.[0]) modules.set(output[0], names.at(-2)!);
  }
  return modules;
}

/**
 * PyTorch's newer exporter, where it optimises, writes one of several parameters that have equal values, and lets all their modules read it. Here
 * each module gets a tensor of its own again, where the values are one number, or the modules are clones; others may be tied.
 * @param modules as from `modulesOf`
 */
export function separateByModule(
  { graph, initializers }: Initialised,
  modules: ReadonlyMap<string, string>,
): Initialised {
  const constants = new Map(graph.constants);
  const copies = initializers.map((name) => copiesOf(name, graph, modules));
  const renamed = new Map<Node, Map<string, string>>();
  for (const [i, copy] of copies.flatMap((all, i) => all.map((copy) => [i, copy] as const))) {
    const name = initializers[i]!;
    constants.set(copy.name, constants.get(name)!);
    for (const node of copy.readers) renamed.set(node, new Map(renamed.get(node)).set(name, copy.name));
  }
  if (renamed.size === 0) return { graph, initializers };
  const nodes = graph.nodes.map((node) => {
    const names = renamed.get(node);
    return names ? { ...node, inputs: node.inputs.map((input) => names.get(input) ?? input) } : node;
  });
  return {
    graph: { ...graph, nodes, constants },
    initializers: initializers.flatMap((name, i) => [name, ...copies[i]!.map((copy) => copy.name)]),
  };
}

interface Copy {
  readonly name: string;
  readonly readers: readonly Node[];
}

/** The parameters of other modules that a tensor stands for as well. */
function copiesOf(name: string, graph: Graph, modules: ReadonlyMap<string, string>): Copy[] {
  const tensor = graph.constants.get(name)!;
  if (tensor.dtype !== 'float32' || tensor.data.length < 2) return [];
  const dot = name.lastIndexOf('.');
  const [owner, parameter] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes.filter(({ inputs }) => inputs.includes(name))) {
    const module = modules.get(node.outputs[0]!);
    if (module !== undefined) readers.set(module, [...(readers.get(module) ?? []), node]);
  }
  // A module may hand its parameters to functions that run in one around it.
  const isOwn = (module: string) => module === '' || owner === module || owner.startsWith(`${module}.`);
  if (![...readers.keys()].some(isOwn)) return [];
  const others = [...readers].filter(([module]) => !isOwn(module));
  return others.flatMap(([module, nodes]) => {
    const copy = unused(`${module}.${parameter}`, graph);
    return isFilled(tensor) || withoutNumbers(name) === withoutNumbers(copy) ? [{ name: copy, readers: nodes }] : [];
  });
}

function unused(name: string, graph: Graph): string {
  for (let i = 0, free = name; ; i++, free = `${name}_${i}`) if (!graph.constants.has(free)) return free;
}
