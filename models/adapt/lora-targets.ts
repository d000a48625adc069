import { ConfigError } from '../../errors.ts';
import { type Graph, intAttribute, intsAttribute, type Model, type Node } from '../../graph/ir.ts';
import type { LayerNames } from './layer-names.ts';

/** One product with a matrix that adapters can stand beside: y = x·W for MatMul, α·op(x)·W + β·c for Gemm. */
export interface MatrixUse {
  readonly node: Node;
  /** Whether the product is with Wᵀ: by Gemm's transB, or by a Transpose before the node. */
  readonly transposed: boolean;
}

/** A weight that is used in nothing but products, all with it or all with its transpose. */
export interface AdaptableMatrix {
  readonly name: string;
  /** Sizes of what goes in and comes out, whichever way the matrix is stored. */
  readonly from: number;
  readonly to: number;
  readonly transposed: boolean;
  readonly uses: readonly MatrixUse[];
}

/**
 * The matrices that patterns choose.
 * @param spare layers that get no adapter, whatever the patterns say
 * @throws ConfigError when a pattern chooses none, or nothing is left
 */
export function loraTargets(
  model: Model,
  names: LayerNames,
  patterns: readonly string[],
  spare: ReadonlySet<string>,
): AdaptableMatrix[] {
  const key = 'train.lora.targets';
  const adaptable = new Map(adaptableMatrices(model).map((matrix) => [matrix.name, matrix]));
  if (adaptable.size === 0)
    throw new ConfigError('train.lora: no layer of the model is the matrix of a MatMul or Gemm; train it without LoRA');
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const fitting = [...names.matching([pattern], key)];
    const matrices = fitting.filter((name) => adaptable.has(name));
    if (matrices.length === 0) {
      const some = [...adaptable.keys()].slice(0, 3).map((name) => `'${name}'`);
      throw new ConfigError(
        `${key}: '${pattern}' fits '${fitting[0]}', which is not used as the matrix of MatMul or Gemm alone; layers that are: ${some.join(', ')}`,
      );
    }
    for (const name of matrices) if (!spare.has(name)) chosen.add(name);
  }
  if (chosen.size === 0)
    throw new ConfigError(
      `${key}: every layer they fit is excluded, or trained whole by train.include; loosen one of them`,
    );
  return [...adaptable.values()].filter(({ name }) => chosen.has(name));
}

function adaptableMatrices({ graph, weights }: Model): AdaptableMatrix[] {
  const readers = readersOf(graph);
  return weights.flatMap((name) => {
    const { dims } = graph.constants.get(name)!;
    const uses = dims.length === 2 ? usesOf(name, readers, false) : undefined;
    const [first] = uses ?? [];
    if (!uses || !first || uses.some(({ transposed }) => transposed !== first.transposed)) return [];
    const { transposed } = first;
    const [from, to] = transposed ? [dims[1]!, dims[0]!] : [dims[0]!, dims[1]!];
    return [{ name, from, to, transposed, uses }];
  });
}

/** All uses of a matrix as right operand of products; undefined when it is used otherwise. */
function usesOf(value: string, readers: Map<string, Node[]>, transposed: boolean): MatrixUse[] | undefined {
  const uses: MatrixUse[] = [];
  for (const node of readers.get(value) ?? []) {
    const positions = node.inputs.flatMap((input, i) => (input === value ? [i] : []));
    if (node.op === 'Transpose' && (intsAttribute(node, 'perm') ?? [1, 0]).join() === '1,0') {
      const behind = usesOf(node.outputs[0]!, readers, !transposed);
      if (!behind) return undefined;
      uses.push(...behind);
    } else if ((node.op === 'MatMul' || node.op === 'Gemm') && node.domain === '' && positions.join() === '1') {
      const flipped = node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
      uses.push({ node, transposed: transposed !== flipped });
    } else return undefined;
  }
  return uses;
}

/** Value → the nodes that read it; what the graph gives out counts as read by a node of its own. */
function readersOf({ nodes, outputs }: Graph): Map<string, Node[]> {
  const readers = new Map<string, Node[]>();
  const add = (value: string, node: Node) => readers.set(value, [...(readers.get(value) ?? []), node]);
  for (const node of nodes) for (const value of new Set(node.inputs)) add(value, node);
  for (const { name } of outputs)
    add(name, { name: '', op: 'Output', domain: '', inputs: [name], outputs: [], attributes: {} });
  return readers;
}
