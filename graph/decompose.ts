import { ModelError } from '../errors.ts';
import type { GraphBuilder } from './builder.ts';
import { add, div, mul, scale, sub } from './expressions.ts';
import { float, float32Tensor, floatAttribute, int, intAttribute, isFilled, type Node } from './ir.ts';
import { dataTypeCode } from './onnx/tensor.ts';

/** An operator that is written as several simpler ones on import, so that it needs no gradient rule of its own. */
interface Decomposition {
  /** What becomes of the operator, for docs and reports. */
  readonly into: string;
  /** Why this node cannot be taken apart, if it cannot. */
  readonly problem?: (node: Node) => string | undefined;
  /** Writes the node; returns its first output. */
  readonly write: (b: GraphBuilder, node: Node, inputs: readonly string[], opset: number) => string;
}

/** (x − mean) / √(variance + ε) over some axes. */
function normalise(b: GraphBuilder, x: string, axes: readonly number[], epsilon: number): string {
  const average = (value: string) => b.op('ReduceMean', [value, b.axes(axes)]);
  const centred = sub(b, x, average(x));
  return div(b, centred, b.op('Sqrt', [add(b, average(mul(b, centred, centred)), b.scalar(epsilon))]));
}

/** `normalise` over the last axis: by LayerNormalization, whose one pass the runtime does fast, when its size is known. */
function normaliseRows(b: GraphBuilder, x: string, epsilon: number): string {
  const size = b.shape(x).at(-1);
  if (typeof size !== 'number') return normalise(b, x, [b.rank(x) - 1], epsilon);
  const name = `ones/${size}`;
  const ones = b.has(name) ? name : b.constant(float32Tensor([size], new Float32Array(size).fill(1)), name);
  return b.op('LayerNormalization', [x, ones], { axis: int(-1), epsilon: float(epsilon) }, { outputs: 3 });
}

/** A vector over channels, shaped to broadcast against [batch, channels, ...]. */
function perChannel(b: GraphBuilder, vector: string, rank: number): string {
  return rank === 2 ? vector : b.reshape(vector, [-1, ...Array.from({ length: rank - 2 }, () => 1)]);
}

function affine(b: GraphBuilder, x: string, factor: string, shift: string): string {
  const rank = b.rank(x);
  // Exporters write GroupNorm as an InstanceNorm that scales by ones and shifts by zeros.
  const scaled = isFilled(b.constantTensor(factor), 1) ? x : mul(b, x, perChannel(b, factor, rank));
  return isFilled(b.constantTensor(shift), 0) ? scaled : add(b, scaled, perChannel(b, shift, rank));
}

const epsilonOf = (node: Node): number => floatAttribute(node, 'epsilon', 1e-5);

function instanceNormalization(b: GraphBuilder, node: Node, inputs: readonly string[]): string {
  const [x, factor, shift] = inputs as [string, string, string];
  const normalised = normaliseRows(b, b.reshape(x, [0, 0, -1]), epsilonOf(node));
  return affine(b, b.op('Reshape', [normalised, b.shapeOf(x)]), factor, shift);
}

/** Up to operator set 20 scale and bias were one per group, from 21 on one per channel. */
function groupNormalization(b: GraphBuilder, node: Node, inputs: readonly string[], opset: number): string {
  const [x, factor, shift] = inputs as [string, string, string];
  const grouped = b.reshape(x, [0, intAttribute(node, 'num_groups', 1), -1]);
  const normalised = normaliseRows(b, grouped, epsilonOf(node));
  const restored = (value: string) => b.op('Reshape', [value, b.shapeOf(x)]);
  if (opset < 21) return restored(affine(b, normalised, factor, shift));
  return affine(b, restored(normalised), factor, shift);
}

function rmsNormalization(b: GraphBuilder, node: Node, inputs: readonly string[]): string {
  const [x, factor] = inputs as [string, string];
  const rank = b.rank(x);
  const axis = intAttribute(node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = b.axes(Array.from({ length: rank - from }, (_, i) => from + i));
  const square = b.op('ReduceMean', [mul(b, x, x), axes]);
  return mul(b, div(b, x, b.op('Sqrt', [add(b, square, b.scalar(epsilonOf(node)))])), factor);
}

/** With stored statistics the layer is a scale and a shift per channel; the statistics stay as they are in the file. */
function frozenBatchNormalization(b: GraphBuilder, node: Node, inputs: readonly string[]): string {
  const [x, factor, shift, mean, variance] = inputs as [string, string, string, string, string];
  const [means, variances] = [b.constantTensor(mean), b.constantTensor(variance)];
  if (!means || !variances) {
    throw new ModelError(
      `node '${node.name}' (BatchNormalization): its running statistics are not stored in the file; export the model in eval mode`,
    );
  }
  const inverse = Float32Array.from(variances.data as Float32Array, (v) => 1 / Math.sqrt(v + epsilonOf(node)));
  const gain = mul(b, factor, b.constant(float32Tensor([inverse.length], inverse)));
  const offset = Float32Array.from(means.data as Float32Array, (value, i) => value * inverse[i]!);
  const drift = mul(b, factor, b.constant(float32Tensor([offset.length], offset)));
  return affine(b, x, gain, sub(b, shift, drift));
}

function batchStatisticsProblem(node: Node): string | undefined {
  const training = intAttribute(node, 'training_mode', 0) === 1 || node.outputs.filter((name) => name).length > 1;
  if (!training) return undefined;
  return 'training mode would mix the statistics of users; export the model in eval mode (stored statistics) or use GroupNorm';
}

const decompositions: Readonly<Record<string, Decomposition>> = {
  BatchNormalization: {
    into: 'a scale and a shift by the stored statistics, which are not trained',
    problem: batchStatisticsProblem,
    write: frozenBatchNormalization,
  },
  CastLike: {
    into: 'a Cast',
    write: (b, _, inputs) => b.op('Cast', [inputs[0]!], { to: int(dataTypeCode(b.type(inputs[1]!).dtype)) }),
  },
  Dropout: {
    into: 'a mask from the client’s random stream in training, nothing in evaluation',
    write: (b, _, inputs) => b.op('Identity', [inputs[0]!]),
  },
  GroupNormalization: { into: 'reductions and arithmetic', write: groupNormalization },
  InstanceNormalization: { into: 'reductions and arithmetic', write: instanceNormalization },
  RMSNormalization: { into: 'reductions and arithmetic', write: rmsNormalization },
  Swish: {
    into: 'x · sigmoid(α x)',
    write: (b, node, inputs) => {
      const x = inputs[0]!;
      const alpha = floatAttribute(node, 'alpha', 1);
      return mul(b, x, b.op('Sigmoid', [alpha === 1 ? x : scale(b, x, alpha)]));
    },
  },
};

/** How an operator is taken apart on import, if it is. */
export function decompositionOf(op: string): Decomposition | undefined {
  return Object.hasOwn(decompositions, op) ? decompositions[op] : undefined;
}

/** Every operator that is taken apart on import, in alphabetical order. */
export function decomposedOperators(): string[] {
  return Object.keys(decompositions).sort();
}
