import { elementCount, int, ints } from '../ir.ts';
import { kernelOffsets } from '../operators/patches.ts';
import type { Window } from '../operators/windows.ts';
import type { GraphWriter } from '../writer.ts';

/** A convolution of known sizes. */
export interface ConvolutionSizes {
  readonly window: Window;
  readonly channels: number;
  readonly outputs: number;
  /** Sizes of the image and of the output. */
  readonly image: readonly number[];
  readonly places: readonly number[];
}

/** The places at which a kernel position lies on a pixel, not on padding: a box, and the box of those pixels. */
interface Box {
  readonly size: readonly number[];
  readonly firstPlace: readonly number[];
  readonly firstPixel: readonly number[];
}

/** Products with padding, as a part of all, from which on it pays to leave them out. */
const fewestOnPadding = 0.25;

/** Whether so many positions lie on padding that a product of its own for each position of the kernel is cheaper than one of whole patches. */
export function isMostlyPadded(sizes: ConvolutionSizes): boolean {
  if (sizes.window.strides.some((stride) => stride > 1)) return false;
  const inside = boxes(sizes).map(({ size }) => elementCount(size));
  const all = inside.length * elementCount(sizes.places);
  return !inside.includes(0) && inside.reduce((sum, count) => sum + count) <= (1 - fewestOnPadding) * all;
}

/**
 * A convolution as one product for each position of the kernel: of the pixels that it lies on, at whatever place, with its outputs × channels matrix.
 * Nothing is multiplied with padding.
 * @param pixels [batch, image, channels]
 * @param weight [outputs, channels, kernel]
 * @returns [batch, places, outputs]
 */
export function writePositionProducts(
  b: GraphWriter,
  sizes: ConvolutionSizes,
  pixels: string,
  weight: string,
  bias: string | undefined,
): string {
  const { channels, outputs, image, places } = sizes;
  const count = elementCount(sizes.window.kernel);
  const kernel = b.op('Transpose', [b.reshape(weight, [outputs, channels, count])], { perm: ints([2, 0, 1]) });
  const matrices = b.node('Split', [kernel, b.axes(Array(count).fill(1))], { axis: int(0) }, { outputs: count });
  const whole = b.reshape(pixels, [-1, ...image, channels]);
  const products = boxes(sizes).map(({ size, firstPlace, firstPixel }, position) => {
    const cut = padded(b, whole, firstPixel, size, image, -1);
    const matrix = b.reshape(matrices[position]!, [outputs, channels]);
    const product = b.reshape(b.op('Gemm', [b.reshape(cut, [-1, channels]), matrix], { transB: int(1) }), [
      -1,
      ...size,
      outputs,
    ]);
    return padded(b, product, firstPlace, size, places, 1);
  });
  const sum = b.op('Sum', products);
  return bias ? b.op('Add', [sum, bias]) : sum;
}

/** A box set into zeros (1), or cut out (−1): padding either way, whose gradient is the other. */
function padded(
  b: GraphWriter,
  value: string,
  first: readonly number[],
  size: readonly number[],
  whole: readonly number[],
  sign: 1 | -1,
): string {
  const behind = whole.map((length, axis) => length - first[axis]! - size[axis]!);
  if ([...first, ...behind].every((pad) => pad === 0)) return value;
  const pads = [0, ...first, 0, 0, ...behind, 0].map((pad) => sign * pad);
  return b.op('Pad', [value, b.axes(pads), b.scalar(0)]);
}

function boxes({ window, image, places }: ConvolutionSizes): Box[] {
  return kernelOffsets(window.kernel).map((offset) => {
    const moved = offset.map((position, axis) => position * window.dilations[axis]! - window.padsBegin[axis]!);
    const firstPlace = moved.map((by) => Math.max(0, -by));
    const size = moved.map((by, axis) => Math.max(0, Math.min(places[axis]!, image[axis]! - by) - firstPlace[axis]!));
    return { size, firstPlace, firstPixel: moved.map((by, axis) => by + firstPlace[axis]!) };
  });
}
