import { matMul, reduceSum } from '../expressions.ts';
import { elementCount, int, ints } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { positionsLast } from './kernel-order.ts';
import type { GradientContext } from './operator.ts';
import { kernelOffsets, padSpatial, windowSlices } from './patches.ts';
import type { Window } from './windows.ts';

/** From this many channels on, one product per kernel position beats joining the patches into one matrix first. */
const wideChannels = 16;
/** Values of dy, once per row of the kernel, beyond which they leave the caches before a product reads them. */
const mostStacked = 2 ** 22;
/** Values of an example from which on a sum over few examples is not ReduceSum's. */
const largeExample = 1024;

/**
 * The gradient of the kernel of a convolution that makes `dy`'s places out of `input`'s patches: a product of dy with the patches
 * (im2col by slices), written in the way that is fastest for its sizes.
 * @param shape of the kernel, [outputs, channels of a group, ...kernel]
 */
export function kernelGradient(
  { b, batchSize }: Pick<GradientContext, 'b' | 'batchSize'>,
  input: string,
  dy: string,
  shape: readonly number[],
  window: Window,
  groups: number,
): string {
  const [outputs, channels, ...kernel] = shape as readonly [number, number, ...number[]];
  if (groups === 1 && channels >= wideChannels) {
    const write = mergesBatch(b, dy, shape)
      ? productsOverBatch
      : stacks(b, dy, channels, window, batchSize)
        ? productsOfStackedRows
        : productsPerImage;
    return positionsLast(b, b.reshape(write(b, input, dy, shape, window), [elementCount(kernel), -1]), shape);
  }
  const slices = windowSlices(b, padSpatial(b, input, window, 0), dy, window);
  const columns = slices.map((slice) => b.reshape(slice, [0, 0, 1, -1]));
  const patches = b.op('Concat', columns, { axis: int(2) });
  const rows = b.reshape(patches, [0, groups, channels * elementCount(kernel), -1]);
  const products = matMul(b, b.reshape(dy, [0, groups, outputs / groups, -1]), rows, false, true);
  return b.reshape(sumOverBatch(b, products), shape);
}

/**
 * [batch, …] → its sum over the batch, […]: a product with ones where examples are large, which takes a fifth of the time of ReduceSum (18 432 values
 * of 10 examples: 40 µs for 170).
 */
function sumOverBatch(b: GraphWriter, values: string): string {
  const example = b.shape(values).slice(1) as number[];
  if (elementCount(example) < largeExample) return reduceSum(b, values, [0], false);
  const sizes = b.op('Concat', [b.axes([1]), b.op('Shape', [values], { end: int(1) })], { axis: int(0) });
  const ones = b.op('Expand', [b.scalar(1), sizes]);
  return b.reshape(matMul(b, ones, b.reshape(values, [0, -1])), example);
}

/**
 * Whether summing one product per image, of the size of the weight each, costs more than to bring the channels of all images together:
 * so it is with many channels on small images.
 */
function mergesBatch(b: GraphWriter, dy: string, [outputs, channels, ...kernel]: readonly number[]): boolean {
  const places = b.shape(dy).slice(2);
  if (!places.every((size) => typeof size === 'number')) return false;
  return elementCount(kernel) * outputs! * channels! > elementCount(places as number[]) * (outputs! + channels!);
}

/** For each kernel position [outputs, channels]: dy times the position's slice of the input, summed over the batch. */
function productsPerImage(b: GraphWriter, input: string, dy: string, _: readonly number[], window: Window): string {
  const rows = b.reshape(dy, [0, 0, -1]);
  const products = windowSlices(b, padSpatial(b, input, window, 0), dy, window).map((slice) =>
    sumOverBatch(b, matMul(b, rows, b.reshape(slice, [0, 0, -1]), false, true)),
  );
  return b.op('Concat', products, { axis: int(0) });
}

/** The same, by one product per position over all places of all images. With channels last, slices are cut in long pieces. */
function productsOverBatch(
  b: GraphWriter,
  input: string,
  dy: string,
  [outputs, channels]: readonly number[],
  window: Window,
): string {
  const places = window.kernel.map((_, i) => i + 2);
  const rows = b.reshape(b.op('Transpose', [dy], { perm: ints([1, 0, ...places]) }), [outputs!, -1]);
  const channelsLast = b.op('Transpose', [input], { perm: ints([0, ...places, 1]) });
  const products = windowSlices(b, padSpatial(b, channelsLast, window, 0, true), dy, window, true).map((slice) =>
    b.op('Gemm', [rows, b.reshape(slice, [-1, channels!])]),
  );
  return b.op('Concat', products, { axis: int(0) });
}

/**
 * Whether a kernel has rows that move by single rows of an image of known size, and dy, once per row, takes less than the slices it saves and
 * fits into the caches.
 */
function stacks(b: GraphWriter, dy: string, channels: number, { kernel, strides }: Window, batchSize: number): boolean {
  const [outputs, ...places] = b.shape(dy).slice(1) as number[];
  const [rows, ...others] = kernel as [number, ...number[]];
  const known = [outputs, ...places].every((size) => typeof size === 'number');
  if (!known || others.length === 0 || strides[0] !== 1) return false;
  if (rows * outputs! >= (rows - 1) * elementCount(others) * channels) return false;
  return batchSize * rows * outputs! * elementCount(places) <= mostStacked;
}

/**
 * The same for all rows of the kernel at once: under its r-th row lies the image r rows further down, and to take dy r rows further down
 * instead, between zeros, does as well. So dy stands there once per row of the kernel, and the image is cut along its other axes only: fewer slices
 * and larger products, for some zeros more.
 */
function productsOfStackedRows(
  b: GraphWriter,
  input: string,
  dy: string,
  [outputs, channels, kernelRows, ...others]: readonly number[],
  window: Window,
): string {
  const [height, ...places] = b.shape(dy).slice(2) as number[];
  const [dilation, ...dilations] = window.dilations;
  const row = elementCount(places);
  const below = (kernelRows! - 1) * dilation! * row;
  // One after the other with these zeros between them, the copies of dy come to lie one row further down in each line.
  const batch = b.op('Shape', [dy], { end: int(1) });
  const sizes = b.op('Concat', [batch, b.axes([outputs!, below + dilation! * row])], { axis: int(0) });
  const zeros = b.op('Expand', [b.scalar(0), sizes]);
  const gradient = b.reshape(dy, [0, 0, -1]);
  const copies = Array.from({ length: kernelRows! - 1 }, () => [zeros, gradient]).flat();
  const line = b.op('Concat', [gradient, ...copies], { axis: int(2) });
  const stacked = b.reshape(line, [0, outputs! * kernelRows!, height! * row + below]);
  const padded = padSpatial(b, input, window, 0);
  const axes = b.axes(places.map((_, i) => i + 3));
  const strides = window.strides.slice(1);
  const products = kernelOffsets(others).map((offset) => {
    const starts = offset.map((position, i) => position * dilations[i]!);
    const ends = starts.map((start, i) => start + (places[i]! - 1) * strides[i]! + 1);
    const columns = b.op('Slice', [padded, b.axes(starts), b.axes(ends), axes, b.axes(strides)]);
    return sumOverBatch(b, matMul(b, stacked, b.reshape(columns, [0, 0, -1]), false, true));
  });
  const joined = b.reshape(b.op('Concat', products, { axis: int(0) }), [-1, outputs!, kernelRows!, channels!]);
  return b.op('Transpose', [joined], { perm: ints([2, 0, 1, 3]) });
}
