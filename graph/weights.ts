import type { Graph } from './ir.ts';

/** Inputs that are settings or statistics, even when a file stores them as float32 initializers: operator → positions. */
const settings: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  Dropout: [1],
  OneHot: [2],
  Pad: [2],
  Resize: [1, 2],
};

/** Scores of masked positions, as −∞ or float32's least number: no weight holds either, and −∞ cannot be trained. */
function isMask(data: Float32Array): boolean {
  return data.includes(Number.NEGATIVE_INFINITY) || data.includes(Math.fround(-3.4028234663852886e38));
}

/**
 * The tensors to train: float32 initializers that are not scalars, settings, statistics or masks of −∞. Tables written as Constant nodes are not
 * weights, unless the file has no initializers at all. Single elements are weights (the bias of one output) unless the exporter made
 * up their name, as it does for folded numbers.
 */
export function weightNames(graph: Graph, initializers: readonly string[]): string[] {
  const set = new Set(
    graph.nodes.flatMap(({ op, inputs }) => (settings[op] ?? []).map((position) => inputs[position])),
  );
  const isWeight = (name: string) => {
    const tensor = graph.constants.get(name)!;
    if (tensor.dtype !== 'float32' || tensor.dims.length === 0 || set.has(name)) return false;
    if (isMask(tensor.data as Float32Array)) return false;
    return tensor.data.length > 1 || (tensor.data.length === 1 && !/^(onnx::|constant|\d+$)/i.test(name));
  };
  const found = initializers.filter(isWeight);
  return found.length > 0 ? found : [...graph.constants.keys()].filter(isWeight);
}
