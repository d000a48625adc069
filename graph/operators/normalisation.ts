import { ModelError } from '../../errors.ts';
import { add, div, filled, mul, scale, sub } from '../expressions.ts';
import { type Dim, float, float32Tensor, floatAttribute, int, intAttribute, isFilled, type Node } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { unbroadcast } from './broadcast.ts';
import type { GradientContext, Gradients, Operator } from './operator.ts';
import { type ClientsRule, onlyFirstDiffers, raised } from './over-clients.ts';
import { like, type ShapeRule } from './shape-rule.ts';

/** The normalised values, then the mean and the inverse deviation. */
const layerNormTypes: ShapeRule = (context) => {
  const type = context.input(0);
  const rank = type.shape.length;
  const axis = intAttribute(context.node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const statistics = { dtype: type.dtype, shape: type.shape.map((dim, i): Dim => (i >= from ? 1 : dim)) };
  return { types: [type, statistics, statistics] };
};

/**
 * y = (x − mean) · inverse · scale + bias over the axes from `axis` on. With x̂ the normalised input and d = dy · scale:
 * dx = inverse · (d − mean(d) − x̂ · mean(d · x̂)). Reads the mean and the inverse deviation that the forward node puts out. Without scale and bias, x̂ is y itself.
 * Over one axis, a mean of something times the scale is its product with the scale as a column, which needs no pass of its own.
 */
function layerNormGradients({ b, node, x, dy, needs }: GradientContext): Gradients {
  const [, mean, inverse] = node.outputs;
  const rank = b.rank(x(0));
  const axis = intAttribute(node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = b.axes(Array.from({ length: rank - from }, (_, i) => from + i));
  const average = (value: string) => b.op('ReduceMean', [value, axes]);
  const plain = node.inputs[2] ? false : isFilled(b.constantTensor(x(1)), 1);
  const normalised = plain ? node.outputs[0]! : mul(b, sub(b, x(0), mean!), inverse!);
  const product = plain && !needs(1) ? undefined : mul(b, dy, normalised);
  /** Of a value times the scale. */
  const scaledAverage = (value: string) => {
    if (plain) return average(value);
    const size = b.shape(x(0)).at(-1);
    const isColumn = rank - from === 1 && typeof size === 'number' && b.shape(x(1)).join() === `${size}`;
    if (!isColumn) return average(mul(b, value, x(1)));
    return b.op('MatMul', [value, b.reshape(scale(b, x(1), 1 / size), [size, 1])]);
  };
  const inputGradient = () => {
    const d = plain ? dy : mul(b, dy, x(1));
    const slope = scaledAverage(product ?? mul(b, dy, normalised));
    return mul(b, inverse!, sub(b, sub(b, d, scaledAverage(dy)), mul(b, normalised, slope)));
  };
  return [
    needs(0) ? inputGradient() : undefined,
    needs(1) ? unbroadcast(b, product!, x(1)) : undefined,
    needs(2) ? unbroadcast(b, dy, x(2)) : undefined,
  ];
}

/** Rows are normalised one by one, whosever they are; each client scales and shifts its own. */
const layerNormOverClients: ClientsRule = (context) => {
  const { b, node, differs, rank, write } = context;
  const [x, , shift] = node.inputs as [string, string, string?];
  const axis = intAttribute(node, 'axis', -1);
  const attributes = { ...node.attributes, axis: int(axis < 0 ? axis : axis - rank(0)) };
  if (onlyFirstDiffers(context)) {
    write(node.op, node.inputs, attributes);
    return true;
  }
  const size = b.shape(x).at(-1);
  if (!differs(0) || attributes.axis.value !== -1 || typeof size !== 'number') return undefined;
  const [output, ...statistics] = node.outputs as [string, ...string[]];
  const normalised = b.unique(`${node.name}/normalised`);
  b.node(node.op, [x, filled(b, size, 1)], attributes, {
    name: node.name,
    outputNames: [normalised, ...statistics],
  });
  const own = (index: number) =>
    differs(index) ? raised(b, node.inputs[index]!, rank(index), rank(0)) : node.inputs[index]!;
  const options = { outputNames: [output] };
  if (!shift) b.op('Mul', [normalised, own(1)], {}, options);
  else b.op('Add', [mul(b, normalised, own(1)), own(2)], {}, options);
  return true;
};

/** (x − mean) / √(variance + ε) over some axes. */
function normalise(b: GraphWriter, x: string, axes: readonly number[], epsilon: number): string {
  const average = (value: string) => b.op('ReduceMean', [value, b.axes(axes)]);
  const centred = sub(b, x, average(x));
  return div(b, centred, b.op('Sqrt', [add(b, average(mul(b, centred, centred)), b.scalar(epsilon))]));
}

/** `normalise` over the last axis: by LayerNormalization, whose one pass the runtime does fast, when its size is known. */
function normaliseRows(b: GraphWriter, x: string, epsilon: number): string {
  const size = b.shape(x).at(-1);
  if (typeof size !== 'number') return normalise(b, x, [b.rank(x) - 1], epsilon);
  return b.op(
    'LayerNormalization',
    [x, filled(b, size, 1)],
    { axis: int(-1), epsilon: float(epsilon) },
    { outputs: 3 },
  );
}

/** A vector over channels, shaped to broadcast against [batch, channels, ...]. */
function perChannel(b: GraphWriter, vector: string, rank: number): string {
  return rank === 2 ? vector : b.reshape(vector, [-1, ...Array.from({ length: rank - 2 }, () => 1)]);
}

function affine(b: GraphWriter, x: string, factor: string, shift: string): string {
  const rank = b.rank(x);
  // Exporters write GroupNorm as an InstanceNorm that scales by ones and shifts by zeros.
  const scaled = isFilled(b.constantTensor(factor), 1) ? x : mul(b, x, perChannel(b, factor, rank));
  return isFilled(b.constantTensor(shift), 0) ? scaled : add(b, scaled, perChannel(b, shift, rank));
}

const epsilonOf = (node: Node): number => floatAttribute(node, 'epsilon', 1e-5);

function instanceNormalization(b: GraphWriter, node: Node, inputs: readonly string[]): string {
  const [x, factor, shift] = inputs as [string, string, string];
  const normalised = normaliseRows(b, b.reshape(x, [0, 0, -1]), epsilonOf(node));
  return affine(b, b.op('Reshape', [normalised, b.shapeOf(x)]), factor, shift);
}

/** Up to operator set 20 scale and bias were one per group, from 21 on one per channel. */
function groupNormalization(b: GraphWriter, node: Node, inputs: readonly string[], opset: number): string {
  const [x, factor, shift] = inputs as [string, string, string];
  const grouped = b.reshape(x, [0, intAttribute(node, 'num_groups', 1), -1]);
  const normalised = normaliseRows(b, grouped, epsilonOf(node));
  const restored = (value: string) => b.op('Reshape', [value, b.shapeOf(x)]);
  if (opset < 21) return restored(affine(b, normalised, factor, shift));
  return affine(b, restored(normalised), factor, shift);
}

function rmsNormalization(b: GraphWriter, node: Node, inputs: readonly string[]): string {
  const [x, factor] = inputs as [string, string];
  const rank = b.rank(x);
  const axis = intAttribute(node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = b.axes(Array.from({ length: rank - from }, (_, i) => from + i));
  const square = b.op('ReduceMean', [mul(b, x, x), axes]);
  return mul(b, div(b, x, b.op('Sqrt', [add(b, square, b.scalar(epsilonOf(node)))])), factor);
}

/** With stored statistics the layer is a scale and a shift per channel; the statistics stay as they are in the file. */
function frozenBatchNormalization(b: GraphWriter, node: Node, inputs: readonly string[]): string {
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

export const normalisationOperators: readonly Operator[] = [
  {
    op: 'LayerNormalization',
    infer: layerNormTypes,
    gradient: { reads: ['x0', 'x1', 'y1', 'y2'], write: layerNormGradients },
    overClients: layerNormOverClients,
  },
  {
    op: 'BatchNormalization',
    infer: like(0),
    decomposition: {
      into: 'a scale and a shift by the stored statistics, which are not trained',
      write: frozenBatchNormalization,
    },
    problem: batchStatisticsProblem,
  },
  {
    op: 'GroupNormalization',
    infer: like(0),
    decomposition: { into: 'reductions and arithmetic', write: groupNormalization },
  },
  {
    op: 'InstanceNormalization',
    decomposition: { into: 'reductions and arithmetic', write: instanceNormalization },
  },
  { op: 'RMSNormalization', decomposition: { into: 'reductions and arithmetic', write: rmsNormalization } },
];
