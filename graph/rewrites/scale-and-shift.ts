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

function affineOf(node: Node, view: GraphView): Affine | undefined {
  const { b } = view;
  if (node.op !== 'Add' || b.type(node.outputs[0]!).dtype !== 'float32') return undefined;
  for (const operands of operandsOf(node, view)) {
    const perExample = [false, true].find((each) => isPerChannel(b, operands, each));
    if (perExample !== undefined) return { ...operands, perExample };
  }
  return undefined;
}

/** A sum with a product that nothing else reads, in every order of their inputs. */
function operandsOf(node: Node, { producer, readers, isOutput }: GraphView): readonly Omit<Affine, 'perExample'>[] {
  return bothWays(node).flatMap(([product, shift]) => {
    const scaled = producer(product);
    if (scaled?.op !== 'Mul' || readers(product).length > 1 || isOutput(product)) return [];
    return bothWays(scaled).map(([x, factor]) => ({ x, factor, shift }));
  });
}

function bothWays({ inputs }: Node): readonly (readonly [string, string])[] {
  const [first, second] = inputs as [string, string];
  return [
    [first, second],
    [second, first],
  ];
}

/** Whether factor and shift are one number per channel of x, or per example and channel, and there are places enough. */
function isPerChannel(b: GraphBuilder, { x, factor, shift }: Omit<Affine, 'perExample'>, perExample: boolean): boolean {
  const [examples, channels, ...places] = b.shape(x);
  const known = [channels, ...places].every((size) => typeof size === 'number');
  if (!known || places.length === 0 || elementCount(places as number[]) < fewestPlaces) return false;
  const wanted = [perExample ? examples! : 1, channels!, ...places.map(() => 1)];
  return [factor, shift].every((value) => {
    const own = b.shape(value);
    const missing = Array<Dim>(Math.max(0, wanted.length - own.length)).fill(1);
    return [...missing, ...own].join() === wanted.join();
  });
}

function write(b: GraphBuilder, node: Node, { x, factor, shift, perExample }: Affine): void {
  const type = b.type(node.outputs[0]!);
  const [, channels, ...places] = b.shape(x) as [number, number, ...number[]];
  const options = { outputNames: node.outputs, name: node.name };
  const attributes = { epsilon: float(0) };
  if (perExample) {
    // Examples and channels as the channels of one image.
    const [factors, shifts] = [factor, shift].map((value) => b.reshape(value, [-1])) as [string, string];
    const [zeros, ones] = [0, 1].map((value) => {
      const filling = { kind: 'tensor' as const, value: float32Tensor([1], Float32Array.of(value)) };
      return b.op('ConstantOfShape', [b.shapeOf(factors)], { value: filling });
    }) as [string, string];
    const image = b.reshape(x, [1, -1, elementCount(places)]);
    const moved = b.op('BatchNormalization', [image, factors, shifts, zeros, ones], attributes);
    b.op('Reshape', [moved, b.axes([-1, channels, ...places])], {}, options);
  } else {
    const [factors, shifts] = [factor, shift].map((value) => b.reshape(value, [channels])) as [string, string];
    const statistics = [filled(b, channels, 0), filled(b, channels, 1)];
    b.op('BatchNormalization', [x, factors, shifts, ...statistics], attributes, options);
  }
  // As inferred before: sizes may be spelled differently now.
  b.declare(node.outputs[0]!, type);
}
