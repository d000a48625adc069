import type { Graph } from './ir.ts';
import { isComputed, isMadeUp } from './made-up-names.ts';

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

/** A module path, as PyTorch names parameters; other exporters call the numbers of their graphs `add/y:0` and the like. */
const path = /^[a-z_]\w*(\.\w+)*$/i;

/** Beyond this a number is a score of masked positions. */
const largestScalar = 1e4;

/**
 * The tensors to train: float32 initializers that are not settings, statistics or masks of −∞. Tables written as Constant nodes are not
 * weights, unless the file has no initializers at all. Single elements are weights (the bias of one output) unless the exporter made
 * up their name, as it does for folded numbers.
 * @param keepsNames whether the exporter keeps the names of parameters and makes those of numbers up, so that tensors without axes can be
 * parameters (a learned temperature); elsewhere they are numbers that a formula needs
 */
export function weightNames(graph: Graph, initializers: readonly string[], keepsNames = false): string[] {
  const set = new Set(
    graph.nodes.flatMap(({ op, inputs }) => (settings[op] ?? []).map((position) => inputs[position])),
  );
  // PyTorch's newer exporter calls nodes `node_add_3`, and numbers of its formulas `alpha` or `value_cast`: only a path with dots is sure.
  const namesNumbers = graph.nodes.some(({ name }) => name.startsWith('node_'));
  const isScalarWeight = (name: string, value: number) =>
    keepsNames &&
    path.test(name) &&
    (name.includes('.') || !namesNumbers) &&
    !isMadeUp(name) &&
    !isComputed(name) &&
    Math.abs(value) < largestScalar;
  // One slope for all channels is turned around by the exporter, and loses its name.
  const slopes = new Set(graph.nodes.filter(({ op }) => op === 'PRelu').map(({ inputs }) => inputs[1]));
  const isWeight = (name: string) => {
    const tensor = graph.constants.get(name)!;
    if (tensor.dtype !== 'float32' || set.has(name)) return false;
    const data = tensor.data as Float32Array;
    if (isMask(data)) return false;
    if (tensor.dims.length === 0) return isScalarWeight(name, data[0]!);
    return data.length > 1 || (data.length === 1 && (!isMadeUp(name) || slopes.has(name)));
  };
  const found = initializers.filter(isWeight);
  return found.length > 0 ? found : [...graph.constants.keys()].filter(isWeight);
}
