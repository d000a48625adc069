import { agree } from './dims.ts';
import { type Dim, ints } from './ir.ts';
import type { GraphWriter } from './writer.ts';

/** For each axis of a model's input, the axis of the data that it is. */
export type AxisOrder = readonly number[];

const [channelsLast, filtersFirst, framesFirst] = [
  [0, 2, 3, 1],
  [0, 2, 1],
  [1, 0, 2],
] as const;

const isBatch = (size: Dim | undefined): boolean =>
  typeof size === 'string' && /^(n|b|bs|batch(_?(size|axis|dim))?)$/i.test(size);
/** Fewer rows or columns are those of a small image with many channels. */
const fewestPixels = 8;

/**
 * How a model takes [batch, channels, height, width], as far as its input's shape tells: models from TensorFlow have the channels last.
 * @param image [channels, height, width] of the data, if known: what fits it as it is, is in its order
 * @returns undefined for the order of the data
 */
export function imageOrder(shape: readonly Dim[], image?: readonly Dim[]): AxisOrder | undefined {
  if (shape.length !== 4) return undefined;
  if (!image) return looksTurned(shape) ? channelsLast : undefined;
  const data = [shape[0]!, ...image];
  return !agree(shape, data) && agree(shape, inInputOrder(data, channelsLast)) ? channelsLast : undefined;
}

function looksTurned([, height, width, channels]: readonly Dim[]): boolean {
  const isLarge = (size: Dim | undefined) => typeof size === 'string' || Number(size) >= fewestPixels;
  return (channels === 1 || channels === 3) && isLarge(height) && isLarge(width);
}

/**
 * How a model takes [batch, frames, filters], as far as its input's shape tells: convolutions along time want the filters first, and
 * PyTorch's recurrent layers, where they are not asked otherwise, the frames. The latter shows by the name that the file gives the batch.
 * @returns undefined for the order of the data
 */
export function featuresOrder(shape: readonly Dim[]): AxisOrder | undefined {
  const [first, second, third] = shape;
  if (shape.length !== 3) return undefined;
  if (isBatch(second) && !isBatch(first)) return framesFirst;
  return typeof second === 'number' && typeof third === 'string' ? filtersFirst : undefined;
}

/** An order in words: what an input takes. */
export function orderInWords(order: AxisOrder): string {
  if (order === channelsLast) return 'images with the channels last';
  return order === filtersFirst ? 'the filters before the frames' : 'the frames before the batch';
}

/** The shape of the data for an input of this shape. */
export function inDataOrder(shape: readonly Dim[], order: AxisOrder | undefined): Dim[] {
  return shape.map((size, axis) => (order ? shape[order.indexOf(axis)]! : size));
}

/** The shape of an input for data of this shape. */
export function inInputOrder(shape: readonly Dim[], order: AxisOrder | undefined): Dim[] {
  return shape.map((size, axis) => (order ? shape[order[axis]!]! : size));
}

/** Data as the input takes it. */
export function reordered(b: GraphWriter, data: string, order: AxisOrder | undefined): string {
  return order ? b.op('Transpose', [data], { perm: ints(order) }) : data;
}
