import { GraphBuilder, namesRead } from './builder.ts';
import { trainingNames } from './compile.ts';
import { exportGraph } from './export.ts';
import type { Graph, Node } from './ir.ts';
import { decodeModel } from './onnx/read.ts';
import { isPure } from './rewrites/common-subexpressions.ts';

/** A training graph in two. */
export interface PreparedTraining {
  /** Takes layers, gives what `step` reads of them beside themselves, under the names of its inputs. undefined: nothing. */
  readonly preparation: Uint8Array | undefined;
  /** Takes and gives what the whole graph does, and takes what `preparation` gives. */
  readonly step: Uint8Array;
}

/**
 * Takes out of a training graph what it computes of the layers alone, before its loop: kernels in the order in which they are stepped, weights
 * turned around. All clients that start from the same parameters share it, and it need be computed once for all of them.
 * @param onnx a graph that `compileTraining` has written
 */
export function splitPreparation(onnx: Uint8Array): PreparedTraining {
  const { graph } = decodeModel(onnx, 'training step');
  const layers = graph.inputs.filter(({ name }) => trainingNames.isLayer(name));
  const own = ownNodes(graph, new Set(layers.map(({ name }) => name)));
  if (own.size === 0) return { preparation: undefined, step: onnx };
  const nodes = graph.nodes.filter((node) => !own.has(node));
  const read = new Set([...graph.outputs.map(({ name }) => name), ...nodes.flatMap(namesRead)]);
  const b = new GraphBuilder();
  for (const { name, dtype, shape } of layers) b.input(name, dtype, shape);
  for (const [name, tensor] of graph.constants) b.constant(tensor, name);
  for (const { op, inputs, attributes, name, outputs, domain } of own) {
    b.node(op, inputs, attributes, { name, outputNames: outputs, domain });
  }
  const given = [...own].flatMap(({ outputs }) => outputs).filter((name) => read.has(name));
  const inputs = [...graph.inputs, ...given.map((name) => ({ name, ...b.type(name) }))];
  const constants = new Map([...graph.constants].filter(([name]) => read.has(name)));
  return {
    preparation: exportGraph(b.build('preparation', given)),
    step: exportGraph({ ...graph, inputs, nodes, constants }),
  };
}

/** Nodes that read layers and constants alone, at least one layer, directly or through each other. */
function ownNodes({ nodes, constants }: Graph, layers: ReadonlySet<string>): ReadonlySet<Node> {
  const known = new Set(layers);
  const own = new Set<Node>();
  for (const node of nodes) {
    const inputs = namesRead(node);
    if (!isPure(node.op) || !inputs.some((name) => known.has(name))) continue;
    if (!inputs.every((name) => known.has(name) || constants.has(name))) continue;
    own.add(node);
    for (const output of node.outputs) known.add(output);
  }
  return own;
}
