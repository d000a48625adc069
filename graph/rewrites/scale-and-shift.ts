import type { GraphBuilder } from '../builder.ts';
import { filled } from '../expressions.ts';
import { type Dim, elementCount, float, float32Tensor, type Node } from '../ir.ts';
import { type GraphView, type Rewrite, replacing } from './rewrite.ts';

/** Of fewer places, the runtime's loop over channels costs more than a second pass. */
const fewestPlaces = 16;

/** x · factor + shift, where x is [batch, channels, ...places] and there is one factor and one shift per channel, or per example and channel. */
interface Affine {
  readonly x: string;
  readonly factor: string;
  readonly shift: string;
  /** Whether every example has its own. */
  readonly perExample: boolean;
}

/**
 * Writes a factor and a shift per channel as one BatchNormalization with mean 0 and variance 1, which takes one pass over the image in place
 * of two.
 */
export const scaleAndShiftAtOnce: Rewrite = replacing((node, view) => {
  const affine = affineOf(node, view);
  return affine && (() => write(view.b, node, affine));
});

function affineOf(node: Node, { b, producer, readers, isOutput }: GraphView): Affine | undefined {
  if (node.op !== 'Add' || b.type(node.outputs[0]!).dtype !== 'float32') return undefined;
  for (const [product, shift] of bothWays(node)) {
    const scaled = producer(product);
    if (scaled?.op !== 'Mul' || readers(product).length > 1 || isOutput(product)) continue;
    for (const [x, factor] of bothWays(scaled)) {
      const shape = b.shape(x);
      const [, channels, ...places] = shape;
      const known = [channels, ...places].every((size) => typeof size === 'number');
      if (!known || shape.length < 3 || elementCount(places as number[]) < fewestPlaces) continue;
      const sizes = [factor, shift].map((value) => {
        const own = b.shape(value);
        return [...Array<Dim>(Math.max(0, shape.length - own.length)).fill(1), ...own].join();
      });
      for (const perExample of [false, true]) {
        const wanted = [perExample ? shape[0]! : 1, channels, ...places.map(() => 1)].join();
        if (sizes.every((size) => size === wanted)) return { x, factor, shift, perExample };
      }
    }
  }
  return undefined;
}

function bothWays({ inputs }: Node): readonly (readonly [string, string])[] {
  const [first, second] = inputs as [string, string];
  return [
    [first, second],
    [second, first],
  ];
}

function write(b: GraphBuilder, node: Node, { x, factor, shift, perExample }: Affine): void {
  const type = b.type(node.outputs[0]!);
  const [, channels, ...places] = b.shape(x) as number[];
  const options = { outputNames: node.outputs, name: node.name };
  const normalise = (image: string, vector: (value: 0 | 1) => string, size: number, written: typeof options | object) =>
    b.op(
      'BatchNormalization',
      [image, b.reshape(factor, [size]), b.reshape(shift, [size]), vector(0), vector(1)],
      { epsilon: float(0) },
      written,
    );
  if (perExample) {
    // Examples and channels as the channels of one image.
    const sizes = b.shapeOf(b.reshape(factor, [-1]));
    const vector = (value: 0 | 1) =>
      b.op('ConstantOfShape', [sizes], {
        value: { kind: 'tensor', value: float32Tensor([1], Float32Array.of(value)) },
      });
    const image = b.reshape(x, [1, -1, elementCount(places)]);
    b.op('Reshape', [normalise(image, vector, -1, {}), b.axes([-1, channels!, ...places])], {}, options);
  } else normalise(x, (value) => filled(b, channels!, value), channels!, options);
  // As inferred before: sizes may be spelled differently now.
  b.declare(node.outputs[0]!, type);
}
