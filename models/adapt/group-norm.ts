import { ModelError } from '../../errors.ts';
import { float32Tensor, floatAttribute, type Graph, int64Tensor, type Node, type Tensor } from '../../graph/ir.ts';

export const batchNormHandlings = ['freeze', 'group'] as const;
export type BatchNormHandling = (typeof batchNormHandlings)[number];

/**
 * How many groups stand in for a BatchNorm of this many channels: the largest divisor that is at most 32 (the default of Wu & He,
 * arXiv:1803.08494) and leaves at least 8 channels to a group. So 64 channels make 8 groups, 256 and more 32; below 16 channels
 * there is one group, since groups of single values would be nothing but zeros.
 */
export function groupCount(channels: number): number {
  for (let groups = Math.min(32, Math.floor(channels / 8)); groups > 1; groups--)
    if (channels % groups === 0) return groups;
  return 1;
}

/**
 * The graph with GroupNorm in place of every BatchNormalization: same scale and bias, no statistics. It is written with operators of every
 * operator set from 11 on, as exporters write it: InstanceNormalization over groups.
 * @param kept nodes that stay as they are
 * @throws ModelError when the number of channels is not known
 */
export function groupNormInPlace(graph: Graph, kept: ReadonlySet<Node> = new Set()): Graph {
  const constants = new Map(graph.constants);
  const replaced = (node: Node) => node.op === 'BatchNormalization' && !kept.has(node);
  const nodes = graph.nodes.flatMap((node) => (replaced(node) ? groupNorm(node, constants) : [node]));
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const dropped = graph.nodes.filter(replaced).flatMap(({ inputs }) => inputs);
  for (const name of dropped) if (!read.has(name)) constants.delete(name);
  return { ...graph, nodes, constants };
}

/** @param constants gets the constants that the nodes read */
function groupNorm(node: Node, constants: Map<string, Tensor>): Node[] {
  const [x, scale, bias] = node.inputs as [string, string, string];
  const channels = (constants.get(scale) ?? constants.get(bias))?.dims[0];
  if (channels === undefined) {
    throw new ModelError(
      `node '${node.name}' (BatchNormalization): its scale is computed, so that its channels are unknown; export the model with stored weights`,
    );
  }
  const groups = groupCount(channels);
  const nodes: Node[] = [];
  const constant = (part: string, tensor: Tensor) => {
    const name = `${node.outputs[0]}/${part}`;
    constants.set(name, tensor);
    return name;
  };
  const write = (part: string, op: string, inputs: string[], attributes: Node['attributes'] = {}) => {
    const output = `${node.outputs[0]}/${part}`;
    nodes.push({ name: `${node.name}/${part}`, op, domain: '', inputs, outputs: [output], attributes });
    return output;
  };
  const reshaped = (part: string, value: string, shape: string) => write(part, 'Reshape', [value, shape]);
  const grouped = reshaped('grouped', x, constant('groups', int64Tensor([3], [0, groups, -1])));
  const ones = constant('ones', float32Tensor([groups], new Float32Array(groups).fill(1)));
  const zeros = constant('zeros', float32Tensor([groups], new Float32Array(groups)));
  const epsilon = { kind: 'float', value: floatAttribute(node, 'epsilon', 1e-5) } as const;
  const normalised = write('normalised', 'InstanceNormalization', [grouped, ones, zeros], { epsilon });
  const byChannel = reshaped('channels', normalised, constant('per_channel', int64Tensor([3], [0, channels, -1])));
  const column = constant('column', int64Tensor([2], [-1, 1]));
  const scaled = write('scaled', 'Mul', [byChannel, reshaped('scale', scale, column)]);
  const shifted = write('shifted', 'Add', [scaled, reshaped('bias', bias, column)]);
  const shape = write('shape', 'Shape', [x]);
  nodes.push({
    name: node.name,
    op: 'Reshape',
    domain: '',
    inputs: [shifted, shape],
    outputs: [node.outputs[0]!],
    attributes: {},
  });
  return nodes;
}
