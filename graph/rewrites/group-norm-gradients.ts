import type { GraphBuilder } from '../builder.ts';
import { add, mul, reduceSum, scale } from '../expressions.ts';
import { elementCount, type Node } from '../ir.ts';
import { type GraphView, type Rewrite, replacing, viewOf } from './rewrite.ts';

/**
 * The backward pass of a normalisation over groups of channels (GroupNorm, InstanceNorm) with a factor per channel, as the rules of its
 * parts write it: with x̂ the normalised input, d = dy · factor and means over a group, dx = inverse · (d − mean(d) − x̂ · mean(d · x̂)).
 */
interface Backward {
  /** The node that gives dx. */
  readonly root: Node;
  /** [batch, channels, ...] */
  readonly dy: string;
  /** [channels, 1, ...] */
  readonly factor: string;
  /** [batch, groups, channels of a group · places] */
  readonly normalised: string;
  /** [batch, groups, 1] */
  readonly inverse: string;
  /** dy · x̂, if the gradient of the factors needs it anyway. */
  readonly products: string | undefined;
}

/**
 * Both means follow from one sum over the places of each channel, of dy and of dy · x̂, as do the gradients of factor and shift. So the whole takes
 * four passes over the image in place of nine: dx = dy · (factor · inverse) − (x̂ · mean(d · x̂) · inverse + mean(d) · inverse), where everything
 * but dy and x̂ is one number per channel or group.
 */
export const sumPlacesFirst: Rewrite = (b, outputs) => {
  const view = viewOf(b, outputs);
  const found = b.nodes.flatMap((node) => backwardOf(node, view) ?? []);
  const roots = new Map(found.map((backward) => [backward.root, backward]));
  const summed = new Set(found.flatMap(({ dy, products }) => (products === undefined ? [dy] : [dy, products])));
  /** Value [batch, channels, ...] → its sums over places, [batch, channels, 1, ...], once written. */
  const sums = new Map<string, string>();
  const overPlaces = (value: string) => {
    const known = sums.get(value);
    if (known !== undefined) return known;
    const written = reduceSum(b, value, placesOf(b, value));
    sums.set(value, written);
    return written;
  };
  replacing((node) => {
    const backward = roots.get(node);
    if (backward) return () => writeBackward(b, backward, overPlaces);
    const [value, axes] = node.inputs as [string, string?];
    const isSum = node.op === 'ReduceSum' && summed.has(value);
    if (!isSum || b.knownIntegers(axes ?? '')?.join() !== [0, ...placesOf(b, value)].join()) return undefined;
    return () => b.op('ReduceSum', [overPlaces(value), axes!], node.attributes, { outputNames: node.outputs });
  })(b, outputs);
};

/** The axes behind batch and channels. */
function placesOf(b: GraphBuilder, value: string): number[] {
  return Array.from({ length: b.rank(value) - 2 }, (_, i) => i + 2);
}

function backwardOf(root: Node, view: GraphView): Backward | undefined {
  const { b, producer, readers, isOutput } = view;
  const [inverse, difference] = root.op === 'Mul' ? root.inputs : [];
  const [centred, correction] = inputsOf('Sub', difference, view);
  const [d, mean] = inputsOf('Sub', centred, view);
  const [normalised, share] = inputsOf('Mul', correction, view);
  const [product] = inputsOf('ReduceMean', share, view);
  const [scaled] = inputsOf('Reshape', d, view);
  const [dy, factor] = inputsOf('Mul', scaled, view);
  if (!d || !mean || !normalised || !dy || !factor || !scaled) return undefined;
  if (inputsOf('ReduceMean', mean, view)[0] !== d || inputsOf('Mul', product, view).join() !== `${d},${normalised}`) {
    return undefined;
  }
  const statistics = producer(normalised);
  if (statistics?.op !== 'LayerNormalization' || statistics.outputs[2] !== inverse) return undefined;
  // Others would still need d.
  if (readers(d).length > 3 || readers(scaled).length > 1 || isOutput(d) || isOutput(scaled)) return undefined;
  const [groups, size] = b.shape(normalised).slice(1);
  const [, channels] = b.shape(dy);
  if (b.rank(normalised) !== 3 || ![groups, size, channels].every((each) => typeof each === 'number')) return undefined;
  const perChannel = [channels, ...placesOf(b, dy).map(() => 1)];
  if (b.rank(dy) < 3 || b.shape(factor).join() !== perChannel.join()) return undefined;
  const restored = readers(normalised).find(
    ({ op, outputs }) => op === 'Reshape' && b.shape(outputs[0]!).join() === b.shape(dy).join(),
  )?.outputs[0];
  const products =
    restored === undefined
      ? undefined
      : readers(restored).find(({ op, inputs }) => op === 'Mul' && inputs.includes(dy));
  return { root, dy, factor, normalised, inverse: inverse!, products: products?.outputs[0] };
}

function inputsOf(op: string, value: string | undefined, { producer }: GraphView): readonly string[] {
  const node = value === undefined ? undefined : producer(value);
  return node?.op === op ? node.inputs : [];
}

function writeBackward(
  b: GraphBuilder,
  { root, dy, factor, normalised, inverse, products }: Backward,
  overPlaces: (value: string) => string,
): void {
  const [groups, size] = b.shape(normalised).slice(1) as [number, number];
  const channels = elementCount(b.shape(factor) as number[]) / groups;
  const perChannel = (value: string) => b.reshape(value, [-1, groups, channels, 1]);
  const factors = perChannel(factor);
  const perPlace = products ?? mul(b, dy, b.op('Reshape', [normalised, b.shapeOf(dy)]));
  const [mean, slope] = [dy, perPlace].map((value) => {
    const total = reduceSum(b, mul(b, perChannel(overPlaces(value)), factors), [2, 3], false);
    return mul(b, b.op('Unsqueeze', [scale(b, total, 1 / size), b.axes([2])]), inverse);
  }) as [string, string];
  const inverses = mul(b, factors, b.op('Unsqueeze', [inverse, b.axes([3])]));
  const direct = mul(b, b.reshape(dy, [-1, groups, channels, size / channels]), inverses);
  const correction = add(b, mul(b, normalised, slope), mean);
  const options = { outputNames: root.outputs, name: root.name };
  b.op('Sub', [b.reshape(direct, [-1, groups, size]), correction], {}, options);
}
