import { ConfigError } from '../../errors.ts';
import {
  float32Tensor,
  floatAttribute,
  int,
  intAttribute,
  type Model,
  type Node,
  type Tensor,
} from '../../graph/ir.ts';
import { Initialiser } from '../initialise.ts';
import type { AdaptableMatrix, MatrixUse } from './lora-targets.ts';

/** Rank and weight of low-rank adapters. */
export interface LoraSettings {
  readonly rank: number;
  /** The adapters' product is scaled by alpha / rank. */
  readonly alpha: number;
}

/**
 * The model with an adapter beside every product with a target: y = x·W + (alpha / rank) · x·A·B (Hu et al., arXiv:2106.09685), A
 * [from, rank] drawn from a named stream per layer, uniform in ±1/√from, and B [rank, to] zero, so that the model starts as it was.
 * The product runs beside W, not into it: its gradients never take the size of W.
 * @param whole layers of the model that are trained as they are
 * @returns the model, its weights the adapters and the whole layers, in the order of the model's layers
 * @throws ConfigError when the model has adapters already
 */
export function addAdapters(
  model: Model,
  targets: readonly AdaptableMatrix[],
  settings: LoraSettings,
  whole: ReadonlySet<string>,
  seed: number | string,
): Model {
  const init = new Initialiser(seed);
  const constants = new Map(model.graph.constants);
  const added = new Map<Node, Node[]>();
  for (const { name, from, to, uses } of targets) {
    const [a, b] = adapterNames(name);
    if (constants.has(a) || constants.has(b))
      throw new ConfigError(
        `train.lora: '${name}' has adapters already ('${a}'); train them with include: ["*.lora_?"] and without lora`,
      );
    constants.set(a, init.fanIn(a, [from, settings.rank], from));
    constants.set(b, init.constant([settings.rank, to], 0));
    for (const use of uses) added.set(use.node, besideProduct(use, a, b, settings, constants));
  }
  const nodes = model.graph.nodes.flatMap((node) => added.get(node) ?? [node]);
  const adapted = new Set(targets.map(({ name }) => name));
  const weights = model.weights.flatMap((name) => {
    if (adapted.has(name)) return adapterNames(name);
    return whole.has(name) ? [name] : [];
  });
  return { ...model, graph: { ...model.graph, nodes, constants }, weights };
}

export function adapterNames(matrix: string): [a: string, b: string] {
  return [`${matrix}.lora_A`, `${matrix}.lora_B`];
}

/** The product's node under another output, and the nodes that add x·A·B to it. */
function besideProduct(
  { node }: MatrixUse,
  a: string,
  b: string,
  { rank, alpha }: LoraSettings,
  constants: Map<string, Tensor>,
): Node[] {
  const output = node.outputs[0]!;
  const nodes: Node[] = [{ ...node, outputs: [`${output}/base`] }];
  const write = (part: string, op: string, inputs: string[], attributes: Node['attributes'] = {}, to?: string) => {
    const result = to ?? `${output}/${part}`;
    nodes.push({ name: `${node.name}/${part}`, op, domain: '', inputs, outputs: [result], attributes });
    return result;
  };
  const factor = `${output}/lora_scale`;
  const gain = node.op === 'Gemm' ? floatAttribute(node, 'alpha', 1) : 1;
  constants.set(factor, float32Tensor([], [(gain * alpha) / rank]));
  const x = node.inputs[0]!;
  const turned = node.op === 'Gemm' && intAttribute(node, 'transA', 0) === 1;
  const down = turned ? write('lora_A', 'Gemm', [x, a], { transA: int(1) }) : write('lora_A', 'MatMul', [x, a]);
  // Scaled where it is narrow.
  const scaled = write('lora_scaled', 'Mul', [down, factor]);
  const up = write('lora_B', 'MatMul', [scaled, b]);
  write('lora_sum', 'Add', [`${output}/base`, up], {}, output);
  return nodes;
}

/**
 * The model without adapters, W + (alpha / rank) · A·B in the place of every target W.
 * @param base the model before `addAdapters`
 * @param trained the model after it, with the weights to merge
 */
export function mergeAdapters(
  base: Model,
  trained: Model,
  targets: readonly AdaptableMatrix[],
  { rank, alpha }: LoraSettings,
): Model {
  const values = (name: string) => trained.graph.constants.get(name)!.data as Float32Array;
  const constants = new Map(base.graph.constants);
  for (const name of base.weights) constants.set(name, trained.graph.constants.get(name)!);
  for (const { name, from, to, transposed } of targets) {
    const [a, b] = adapterNames(name).map(values) as [Float32Array, Float32Array];
    const merged = Float64Array.from(values(name));
    for (let i = 0; i < from; i++) {
      for (let k = 0; k < rank; k++) {
        const factor = (alpha / rank) * a[i * rank + k]!;
        for (let j = 0; j < to; j++) {
          const at = transposed ? j * from + i : i * to + j;
          merged[at] = merged[at]! + factor * b[k * to + j]!;
        }
      }
    }
    constants.set(name, float32Tensor(base.graph.constants.get(name)!.dims, Float32Array.from(merged)));
  }
  return { ...base, graph: { ...base.graph, constants } };
}
