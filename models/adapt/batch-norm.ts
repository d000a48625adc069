import { ModelError } from '../../errors.ts';
import { floatAttribute, type Graph, type Model, type Node } from '../../graph/ir.ts';
import { type BatchNormHandling, groupNormInPlace } from './group-norm.ts';
import { inTrainingMode, normalisingWeights, standardiseWeights } from './weight-standardisation.ts';

/** What became of a model's BatchNormalization nodes, and why. */
export interface BatchNormChoice {
  readonly handling: BatchNormHandling;
  /** Number of nodes. */
  readonly nodes: number;
  /** One sentence for people. */
  readonly words: string;
}

/**
 * Settles what BatchNormalization does in federated training, where batch statistics would mix a client's examples and running
 * statistics would leave it without noise: `freeze` normalises with the statistics stored in the file, which stay as they are; `group` puts
 * GroupNorm with the same scale and bias in its place. Nodes exported in training mode are treated alike. Nodes over weights are left out.
 * @param wanted default: `freeze` when the file carries trained statistics (not all means 0 and variances 1), else `group`
 * @throws ModelError when a node cannot be treated so
 */
export function settleBatchNorm(
  given: Model,
  wanted?: BatchNormHandling,
): { readonly model: Model; readonly choice?: BatchNormChoice } {
  if (!given.graph.nodes.some(({ op }) => op === 'BatchNormalization')) return { model: given };
  const model = standardiseWeights(given);
  const ofWeights = new Set(normalisingWeights(model.graph));
  const nodes = model.graph.nodes.filter((node) => node.op === 'BatchNormalization' && !ofWeights.has(node));
  if (nodes.length === 0) return { model };
  for (const node of nodes) refuseReadStatistics(node, model.graph);
  const trained = nodes.some((node) => hasTrainedStatistics(node, model.graph));
  const handling = wanted ?? (trained ? 'freeze' : 'group');
  const graph = handling === 'freeze' ? withStoredStatistics(model.graph) : groupNormInPlace(model.graph, ofWeights);
  const words = `${nodes.length} BatchNormalization ${nodes.length === 1 ? 'node' : 'nodes'} ${explain(handling, trained, wanted)}`;
  return { model: { ...model, graph }, choice: { handling, nodes: nodes.length, words } };
}

function explain(handling: BatchNormHandling, trained: boolean, wanted: BatchNormHandling | undefined): string {
  const asked = wanted === undefined ? '' : ', as model.batchNorm says';
  const stored = trained ? 'trained statistics' : 'no trained statistics';
  return handling === 'freeze'
    ? `keep the stored statistics${asked}; the file carries ${stored}`
    : `became GroupNorm${asked}; the file carries ${stored}, and updating them would mix users and leak`;
}

/**
 * Whether the running mean and variance are other than a fresh layer's zeros and ones. An export in training mode runs the model once, which
 * leaves means near 0 and no variance below the momentum's share of 1: that is no training yet.
 */
function hasTrainedStatistics(node: Node, { constants }: Graph): boolean {
  const [mean, variance] = [3, 4].map((i) => constants.get(node.inputs[i] ?? '')?.data as Float32Array | undefined);
  if (!mean || !variance) return false;
  if (inTrainingMode(node)) {
    const share = floatAttribute(node, 'momentum', 0.9);
    return variance.some((value) => value < share - 1e-6);
  }
  return mean.some((value) => value !== 0) || variance.some((value) => value !== 1);
}

/** In training mode a node gives new running statistics; nothing may depend on them. */
function refuseReadStatistics({ name, outputs }: Node, { nodes, outputs: given }: Graph): void {
  const statistics = new Set(outputs.slice(1).filter((output) => output !== ''));
  const read = nodes.some(({ inputs }) => inputs.some((input) => statistics.has(input)));
  if (read || given.some((output) => statistics.has(output.name))) {
    throw new ModelError(
      `node '${name}' (BatchNormalization) hands its running statistics on, which would mix users; export the model in eval mode`,
    );
  }
}

function withStoredStatistics(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) => {
    if (node.op !== 'BatchNormalization' || !inTrainingMode(node)) return node;
    const { training_mode: _mode, ...attributes } = node.attributes;
    return { ...node, attributes, outputs: node.outputs.slice(0, 1) };
  });
  return { ...graph, nodes };
}
