import { cancelProduct, productOfDims } from './dims.ts';
import type { Dim } from './ir.ts';

/** Where the examples of a batch lie in a value. */
export interface BatchPlace {
  readonly axis: number;
  /** How many blocks of examples the axis holds, one behind the other: 1 where it is the batch, or is divided by example first. */
  readonly outer: Dim;
}

/**
 * Where a reshape puts the batch. Elements keep their order, so as many blocks of examples stand one behind the other as before. Where that leaves a
 * choice, as with a batch of one, it takes an axis of the batch's size, else the axis where the batch stood, or, where axes are put together, the leftmost.
 * @param shape of the value that is reshaped, with its batch at `place`
 * @param result what it becomes for a batch of `size`
 * @returns undefined when examples do not stay apart
 */
export function reshapedPlace(
  shape: readonly Dim[],
  { axis, outer }: BatchPlace,
  result: readonly Dim[],
  size: number,
): BatchPlace | undefined {
  const blocks = productOfDims([...shape.slice(0, axis), outer]);
  const possible = result.flatMap((dim, i): BatchPlace[] => {
    const inside = cancelProduct([blocks], result.slice(0, i));
    if (inside === undefined || cancelProduct([dim], [inside, size]) === undefined) return [];
    return [{ axis: i, outer: inside }];
  });
  const pure = possible.find((place) => place.outer === 1 && result[place.axis] === size);
  const flattens = result.length < shape.length;
  const stays = (place: BatchPlace) => place.axis === axis && result.slice(0, axis).every((dim, i) => dim === shape[i]);
  return pure ?? (flattens ? undefined : possible.find(stays)) ?? possible[0];
}
