import { ModelError } from '../../errors.ts';
import { type Graph, intAttribute, isFilled, type Model, type Node } from '../../graph/ir.ts';
import { isMadeUp } from '../../graph/made-up-names.ts';

/**
 * Replaces BatchNormalization over weights (weight standardisation: kernels laid out as one example, a channel per filter). It touches no data and has no
 * statistics: over one example it is InstanceNormalization. In eval mode the stored statistics are right as they are.
 * @throws ModelError when the weights are not laid out as one example
 */
export function standardiseWeights(model: Model): Model {
  const { graph, weights } = model;
  const standardising = new Set(normalisingWeights(graph).filter((node) => inTrainingMode(node)));
  if (standardising.size === 0) return model;
  const idle = new Set([...standardising].flatMap((node) => idleInputs(node, graph)));
  const replaced = graph.nodes.map((node) => (standardising.has(node) ? overOneExample(node, graph) : node));
  // What was read for the running statistics alone, such as a transposed copy of the weights, goes with them.
  const { nodes, read } = alive(replaced, graph);
  const before = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const left = (name: string) => !idle.has(name) && (read.has(name) || !before.has(name));
  return { ...model, graph: { ...graph, nodes }, weights: weights.filter(left) };
}

/** The BatchNormalization nodes that read nothing of the model's inputs. */
export function normalisingWeights({ inputs, nodes }: Graph): Node[] {
  const ofData = new Set(inputs.map(({ name }) => name));
  for (const node of nodes)
    if (node.inputs.some((name) => ofData.has(name))) for (const output of node.outputs) ofData.add(output);
  return nodes.filter((node) => node.op === 'BatchNormalization' && !ofData.has(node.inputs[0]!));
}

/** Whether a node computes its statistics from the batch. */
export function inTrainingMode(node: Node): boolean {
  return intAttribute(node, 'training_mode', 0) === 1 || node.outputs.length > 1;
}

/** The nodes that an output depends on, and the values that they read. */
function alive(nodes: readonly Node[], { outputs }: Graph): { nodes: Node[]; read: ReadonlySet<string> } {
  const read = new Set(outputs.map(({ name }) => name));
  const kept = nodes.toReversed().filter((node) => {
    const needed = node.outputs.some((name) => read.has(name));
    if (needed) for (const name of node.inputs) read.add(name);
    return needed;
  });
  return { nodes: kept.reverse(), read };
}

/** Ones and zeros that the exporter made up for a scale and a shift which the program does not have. */
function idleInputs({ inputs }: Node, { constants }: Graph): string[] {
  return [1, 0].flatMap((value, i) => {
    const name = inputs[i + 1]!;
    return isMadeUp(name) && isFilled(constants.get(name), value) ? [name] : [];
  });
}

function overOneExample(node: Node, graph: Graph): Node {
  const [x] = node.inputs as [string];
  if (firstSize(x, graph) !== 1) {
    throw new ModelError(
      `node '${node.name}' (BatchNormalization) normalises weights in training mode, and not as one example [1, filters, ...]; standardise them with mean and variance (torch.var_mean), and export the model again`,
    );
  }
  const { epsilon } = node.attributes;
  return {
    ...node,
    op: 'InstanceNormalization',
    inputs: node.inputs.slice(0, 3),
    outputs: node.outputs.slice(0, 1),
    attributes: epsilon ? { epsilon } : {},
  };
}

/** The first size of a stored tensor or of what a Reshape makes of it; undefined when neither tells. */
function firstSize(name: string, { constants, nodes }: Graph): number | undefined {
  const stored = constants.get(name);
  if (stored) return stored.dims[0];
  const producer = nodes.find(({ outputs }) => outputs.includes(name));
  if (producer?.op === 'Reshape') return Number(constants.get(producer.inputs[1]!)?.data[0]);
  if (producer?.op !== 'Unsqueeze') return undefined;
  const axes = producer.attributes.axes;
  const given =
    axes?.kind === 'ints' ? axes.value : Array.from(constants.get(producer.inputs[1] ?? '')?.data ?? [], Number);
  return given.includes(0) ? 1 : undefined;
}
