import type { GraphBuilder } from '../builder.ts';
import { filled } from '../expressions.ts';
import { float, floatAttribute, int, intAttribute, isFilled, type Node } from '../ir.ts';
import { type GraphView, type Match, numberOf, type Rewrite, replacing } from './rewrite.ts';

/**
 * LayerNorm over the last axis as exporters spell it up to operator set 16, (x − mean) / √(mean of squares + ε) · scale + bias, as the one operator that it
 * is: nine operators forward, and many more backward, become one and a dozen.
 */
export const recogniseLayerNorm: Rewrite = (b, outputs) => {
  for (const match of [normalised, scaled, shifted]) replacing(match)(b, outputs);
};

/** The quotient alone: a LayerNormalization that scales by ones. */
const normalised: Match = (node, view) => {
  const { b, producer } = view;
  if (node.op !== 'Div') return undefined;
  const [centred, deviation] = node.inputs as [string, string];
  const difference = producer(centred);
  const x = difference?.op === 'Sub' ? difference.inputs[0]! : undefined;
  const size = x === undefined ? undefined : b.shape(x).at(-1);
  if (x === undefined || typeof size !== 'number' || meanOf(difference!.inputs[1]!, view) !== x) return undefined;
  const root = producer(deviation);
  const sum = root?.op === 'Sqrt' ? producer(root.inputs[0]!) : undefined;
  if (sum?.op !== 'Add') return undefined;
  const at = sum.inputs.findIndex((input) => numberOf(b, input) !== undefined);
  const epsilon = numberOf(b, sum.inputs[at] ?? '');
  const variance = sum.inputs[1 - at];
  if (epsilon === undefined || !(epsilon > 0) || variance === undefined) return undefined;
  const square = meanOf(variance, view);
  if (square === undefined || squaredBy(producer(square), b) !== centred) return undefined;
  return () => writeLayerNorm(b, node, [x, filled(b, size, 1)], epsilon);
};

/** A LayerNormalization's ones replaced by what it is multiplied with. */
const scaled: Match = (node, view) => {
  const { b } = view;
  if (node.op !== 'Mul') return undefined;
  const found = layerNormIn(node, view);
  if (!found || found.norm.inputs[2] || !isFilled(b.constantTensor(found.norm.inputs[1]!), 1)) return undefined;
  const { norm, other } = found;
  return () => writeLayerNorm(b, node, [norm.inputs[0]!, other], floatAttribute(norm, 'epsilon', 1e-5));
};

/** A LayerNormalization without bias takes what is added to it. */
const shifted: Match = (node, view) => {
  if (node.op !== 'Add') return undefined;
  const found = layerNormIn(node, view);
  if (!found || found.norm.inputs[2]) return undefined;
  const [x, scale] = found.norm.inputs as [string, string];
  return () => writeLayerNorm(view.b, node, [x, scale, found.other], floatAttribute(found.norm, 'epsilon', 1e-5));
};

function writeLayerNorm(b: GraphBuilder, { name, outputs }: Node, inputs: readonly string[], epsilon: number): void {
  const statistics = [b.unique(`${name}/mean`), b.unique(`${name}/inverse`)];
  const attributes = { axis: int(-1), epsilon: float(epsilon) };
  b.node('LayerNormalization', inputs, attributes, { name, outputNames: [outputs[0]!, ...statistics] });
}

/** The operand that is a LayerNormalization over the last axis for this node alone, and the other, a vector along that axis. */
function layerNormIn(node: Node, view: GraphView): { readonly norm: Node; readonly other: string } | undefined {
  const { b, producer } = view;
  const at = node.inputs.findIndex((input) => producer(input)?.op === 'LayerNormalization');
  const norm = producer(node.inputs[at] ?? '');
  const other = node.inputs[1 - at];
  if (!norm || other === undefined || producer(other) === norm) return undefined;
  const value = norm.outputs[0]!;
  const isOwn = node.inputs[at] === value && view.readers(value).length === 1 && !view.isOutput(value);
  const [size, ...rest] = b.shape(other);
  const fits = rest.length === 0 && size === b.shape(value).at(-1) && typeof size === 'number';
  return isOwn && fits && intAttribute(norm, 'axis', -1) === -1 ? { norm, other } : undefined;
}

/** What a value is the mean of, over the last axis, which stays. */
function meanOf(value: string, { b, producer }: GraphView): string | undefined {
  const node = producer(value);
  if (node?.op !== 'ReduceMean' || intAttribute(node, 'keepdims', 1) !== 1) return undefined;
  const x = node.inputs[0]!;
  const axes = b.knownIntegers(node.inputs[1] ?? '');
  return axes?.length === 1 && (axes[0] === -1 || axes[0] === b.rank(x) - 1) ? x : undefined;
}

/** The value that a node squares. */
function squaredBy(node: Node | undefined, b: GraphBuilder): string | undefined {
  const [x, y] = node?.inputs ?? [];
  if (node?.op === 'Mul') return x === y ? x : undefined;
  return node?.op === 'Pow' && numberOf(b, y!) === 2 ? x : undefined;
}
