import type { Graph, Node, Tensor } from '../ir.ts';
import { isComputed, isMadeUp } from '../made-up-names.ts';

/** A graph, and which of its constants were initializers in the file. */
export interface Initialised {
  readonly graph: Graph;
  readonly initializers: readonly string[];
}

/**
 * PyTorch's exporter writes one of several parameters that have equal values, and makes the others of it by Identity nodes: the scales (ones)
 * and biases (zeros) of a fresh model's norms, and layers that begin as clones of each other. Trained so, they would be tied. Here each gets a tensor
 * of its own again, unless the model may really tie them: matrices of unlike names stay one.
 */
export function separateInitializers({ graph, initializers }: Initialised): Initialised {
  const kept = new Set(graph.outputs.map(({ name }) => name));
  const copies = new Map<string, string[]>();
  const known = new Set(initializers);
  const isMerged = (node: Node): boolean => {
    const [name, copy] = [node.inputs[0]!, node.outputs[0]!];
    if (node.op !== 'Identity' || !known.has(name) || kept.has(copy)) return false;
    return areApart(name, copy, graph);
  };
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.filter((node) => {
    if (!isMerged(node)) return true;
    const [name, copy] = [node.inputs[0]!, node.outputs[0]!];
    constants.set(copy, constants.get(name)!);
    copies.set(name, [...(copies.get(name) ?? []), copy]);
    return false;
  });
  if (copies.size === 0) return { graph, initializers };
  return {
    graph: { ...graph, nodes, constants },
    initializers: initializers.flatMap((name) => [name, ...(copies.get(name) ?? [])]),
  };
}

/** Whether two tensors of equal values are two parameters. */
function areApart(name: string, copy: string, graph: Graph): boolean {
  if (isFilled(graph.constants.get(name)!)) return true;
  const [first, second] = [name, copy].map((each) => isMadeUp(each) || isComputed(each));
  if (first !== second) return false;
  if (!first) return withoutNumbers(name) === withoutNumbers(copy);
  // Matrices that were turned around: of one module that is used twice, or of two.
  const named = [...graph.constants.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)];
  const [modules, others] = [name, copy].map((each) => modulesThatRead(each, graph, named)) as [
    Set<string>,
    Set<string>,
  ];
  return modules.size > 0 && others.size > 0 && ![...modules].some((module) => others.has(module));
}

/** Whether all values are one number. */
export function isFilled({ data }: Tensor): boolean {
  return data.every((value: number | bigint) => value === data[0]);
}

/** `layers.0.norm.bias` and `layers.1.norm.bias` are of clones. */
export function withoutNumbers(name: string): string {
  return name.replace(/\d+/g, '0');
}

/** The modules whose nodes read a value, as far as their names tell: `layers.0.linear1` of `/layers.0/linear1/MatMul`. */
function modulesThatRead(value: string, { nodes }: Graph, named: readonly string[]): Set<string> {
  const readers = nodes.filter(({ op, inputs }) => op !== 'Identity' && inputs.includes(value));
  const scopes = readers.map(({ name }) => name.split('/').slice(1, -1));
  return new Set(scopes.filter(({ length }) => length > 0).map((scope) => moduleOf(scope, named)));
}

/** A module that is used again is called `/linear1_1/MatMul`; one of that name has parameters of its own. */
function moduleOf(scope: readonly string[], named: readonly string[]): string {
  return scope.reduce((path, part) => {
    const module = path === '' ? part : `${path}.${part}`;
    return named.some((name) => name.startsWith(`${module}.`)) ? module : module.replace(/_\d+$/, '');
  }, '');
}
