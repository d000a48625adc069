import type { Graph, Node, Tensor } from '../ir.ts';
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
  if (modules.size === 0) return { graph, initializers };
  const constants = new Map(graph.constants);
  const readers = readersOf(graph, initializers);
  const taken = new Set([...graph.constants.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const copies = initializers.map((name) =>
    copiesOf(name, graph.constants.get(name)!, readers.get(name) ?? [], modules, taken),
  );
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

/** The nodes that read each initializer. */
function readersOf({ nodes }: Graph, initializers: readonly string[]): Map<string, Node[]> {
  const readers = new Map<string, Node[]>(initializers.map((name) => [name, []]));
  for (const node of nodes) for (const name of new Set(node.inputs)) readers.get(name)?.push(node);
  return readers;
}

/**
 * The parameters of other modules that a tensor stands for as well.
 * @param taken names that a copy cannot have; those of the copies are added
 */
function copiesOf(
  name: string,
  tensor: Tensor,
  readers: readonly Node[],
  modules: ReadonlyMap<string, string>,
  taken: Set<string>,
): Copy[] {
  if (tensor.dtype !== 'float32' || tensor.data.length < 2) return [];
  const dot = name.lastIndexOf('.');
  const [owner, parameter] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
  const byModule = new Map<string, Node[]>();
  for (const node of readers) {
    const module = modules.get(node.outputs[0]!);
    if (module !== undefined) byModule.set(module, [...(byModule.get(module) ?? []), node]);
  }
  // A module may hand its parameters to functions that run in one around it.
  const isOwn = (module: string) => module === '' || owner === module || owner.startsWith(`${module}.`);
  if (![...byModule.keys()].some(isOwn)) return [];
  const others = [...byModule].filter(([module]) => !isOwn(module));
  return others.flatMap(([module, nodes]) => {
    const wanted = `${module}.${parameter}`;
    if (!isFilled(tensor) && withoutNumbers(name) !== withoutNumbers(wanted)) return [];
    const copy = unused(wanted, taken);
    taken.add(copy);
    return [{ name: copy, readers: nodes }];
  });
}

function unused(name: string, taken: ReadonlySet<string>): string {
  for (let i = 1, free = name; ; i++, free = `${name}_${i}`) if (!taken.has(free)) return free;
}
