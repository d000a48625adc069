import { GraphBuilder } from './builder.ts';
import { trainingNames } from './compile.ts';
import { exportGraph } from './export.ts';
import { add, sub } from './expressions.ts';
import type { Graph, Node } from './ir.ts';
import { decodeModel } from './onnx/read.ts';
import { renamed } from './rewrites/rename.ts';

/**
 * The training graph for clients with more visits than it is to take at once: a loop over parts of the schedule, each of which starts from the
 * parameters that the one before has come to. The bits are those of runs that follow each other.
 *
 * Inputs and outputs are those of the graph, and one more, `batches/parts` int64 [parts + 1]: the steps at which parts begin, and at the end how many
 * steps there are. `dropout/seed` has one more axis, [parts, …].
 * @param onnx a graph that `compileTraining` has written; one of several clients takes one here
 */
export function loopOverParts(onnx: Uint8Array): Uint8Array {
  const { graph } = decodeModel(onnx, 'training step');
  const { dropoutSeed, parts } = trainingNames;
  const outer = new GraphBuilder();
  for (const { name, dtype, shape } of graph.inputs) {
    outer.input(name, dtype, name === dropoutSeed ? ['parts', ...shape] : shape);
  }
  outer.input(parts, 'int64', ['parts_and_one']);
  for (const name of [...graph.constants.keys(), ...namesWritten(graph)]) outer.unique(name);
  const states = statesOf(outer, graph);
  const body = outer.within('part', () => writePart(outer, graph, states));
  const count = sub(outer, outer.op('Size', [parts]), outer.index(1));
  const always = outer.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
  const results = outer.control(
    'Loop',
    [count, always, ...states.map(({ initial }) => initial)],
    { body: { kind: 'graph', value: body } },
    states.map(({ output }) => ({ ...output, name: outer.unique(`last/${output.name}`) })),
  );
  for (const [i, { output, layer }] of states.entries()) {
    const options = { outputNames: [output.name] };
    if (layer === undefined) outer.op('Identity', [results[i]!], {}, options);
    else outer.op('Sub', [like(outer, layer, output), like(outer, results[i]!, output)], {}, options);
  }
  const outputs = graph.outputs.map(({ name }) => name);
  return exportGraph(outer.build('long_local_training', outputs));
}

/** What parts hand on: parameters, and the figures of all steps so far. */
interface State {
  /** What the graph gives of it: the change of parameters, or figures of a part's steps. */
  readonly output: Graph['outputs'][number];
  /** The parameters' own input; undefined for figures. */
  readonly layer: string | undefined;
  readonly initial: string;
}

function statesOf(outer: GraphBuilder, { inputs, outputs }: Graph): State[] {
  const layers = inputs.filter(({ name }) => trainingNames.isLayer(name)).map(({ name }) => name);
  return outputs.map((output, i) => {
    // Deltas come first, in the order of the layers.
    const layer = layers[i];
    if (layer !== undefined) return { output, layer, initial: layer };
    const none = outer.op('ConstantOfShape', [outer.axes([0, ...output.shape.slice(1).map(() => 1)])]);
    return { output, layer, initial: none };
  });
}

/** The body of the loop: the whole graph on a part of the schedule. */
function writePart(outer: GraphBuilder, graph: Graph, states: readonly State[]): Graph {
  const { order, offsets, dropoutSeed, parts } = trainingNames;
  const b = outer.subgraph();
  const part = b.input(b.unique('part/number'), 'int64', []);
  const condition = b.input(b.unique('part/continue'), 'bool', []);
  const given = states.map(({ output, layer }) => {
    const { dtype, shape } = layer === undefined ? output : outer.type(layer);
    const name = b.unique(`part/from/${output.name}`);
    return b.input(name, dtype, layer === undefined ? ['steps_before', ...shape.slice(1)] : shape);
  });
  const step = (from: string) => b.op('Gather', [parts, from]);
  const vector = (scalar: string) => b.reshape(scalar, [1]);
  const [first, last] = [step(part), step(add(b, part, b.index(1)))];
  const [start, end] = [first, last].map((at) => b.op('Gather', [offsets, at]));
  const ownOffsets = b.op('Slice', [offsets, vector(first), vector(add(b, last, b.index(1))), b.axes([0])]);
  const names = new Map<string, string>([
    [offsets, sub(b, ownOffsets, start!)],
    [order, b.op('Slice', [order, vector(start!), vector(end!), b.axes([b.rank(order) - 1])])],
  ]);
  if (graph.inputs.some(({ name }) => name === dropoutSeed))
    names.set(dropoutSeed, b.op('Gather', [dropoutSeed, part]));
  for (const [i, { layer }] of states.entries()) if (layer !== undefined) names.set(layer, given[i]!);
  for (const { name, ...type } of graph.outputs) {
    names.set(name, b.unique(`part/${name}`));
    b.declare(names.get(name)!, type);
  }
  b.nodes.push(...graph.nodes.map((node) => moved(node, names)));
  const next = states.map(({ output, layer }, i) => {
    const result = names.get(output.name)!;
    if (layer === undefined) return b.op('Concat', [given[i]!, result], { axis: { kind: 'int', value: 0 } });
    return b.op('Sub', [given[i]!, like(b, result, outer.type(layer))]);
  });
  // Constants stand where their readers are: the runtime packs the matrices of a loop and of the graph around it, but not those further out, and
  // products with unpacked ones come to other bits.
  return { ...b.build('part', [b.op('Identity', [condition]), ...next]), constants: graph.constants };
}

/** A value of one client in the shape of another of as many elements: with an axis of clients or without. */
function like(b: GraphBuilder, value: string, { shape }: Pick<State['output'], 'shape'>): string {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
  return b.rank(value) === sizes.length ? value : b.reshape(value, sizes);
}

/** The node with other names for what it reads and for what it writes. */
function moved(node: Node, names: ReadonlyMap<string, string>): Node {
  return { ...renamed(node, names), outputs: node.outputs.map((name) => names.get(name) ?? name) };
}

/** Names of all values that a graph and those inside it write. */
function namesWritten({ inputs, nodes }: Graph): string[] {
  const inside = nodes.flatMap(({ attributes }) =>
    Object.values(attributes).flatMap((attribute) => (attribute.kind === 'graph' ? namesWritten(attribute.value) : [])),
  );
  return [...inputs.map(({ name }) => name), ...nodes.flatMap(({ outputs }) => outputs), ...inside];
}
