import { type Dim, ints } from './ir.ts';
import type { GraphWriter } from './writer.ts';

/** For each axis of a model's input, the axis of the data that it is. */
export type AxisOrder = readonly number[];

const isOpen = (size: Dim | undefined): boolean => typeof size === 'string';
const isBatch = (size: Dim | undefined): boolean =>
  typeof size === 'string' && /^(n|b|bs|batch(_?(size|axis|dim))?)$/i.test(size);
/** How many channels an image may have, and how few pixels it hardly has. */
const channels: readonly (Dim | undefined)[] = [1, 3, 4];

/**
 * How a model takes [batch, channels, height, width], as far as its input's shape tells: models from TensorFlow have the channels last.
 * @returns undefined for the order of the data
 */
export function imageOrder([, first, height, last, ...others]: readonly Dim[]): AxisOrder | undefined {
  const channelsLast = channels.includes(last) && !channels.includes(first) && height !== undefined;
  return channelsLast && others.length === 0 ? [0, 2, 3, 1] : undefined;
}

/**
 * How a model takes [batch, frames, filters], as far as its input's shape tells: convolutions along time want the filters first, and
 * PyTorch's recurrent layers, where they are not asked otherwise, the frames. The latter shows by the name that the file gives the batch.
 * @returns undefined for the order of the data
 */
export function featuresOrder(shape: readonly Dim[]): AxisOrder | undefined {
  const [first, second, third] = shape;
  if (shape.length !== 3) return undefined;
  const framesFirst = isBatch(second) && !isBatch(first);
  if (framesFirst) return [1, 0, 2];
  return !isOpen(second) && isOpen(third) ? [0, 2, 1] : undefined;
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
