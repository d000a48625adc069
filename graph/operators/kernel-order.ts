import { elementCount, int, int64Tensor, ints } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';

/**
 * A kernel [outputs, channels, ...kernel] as one row per kernel position, [positions, outputs · channels], and back. The runtime moves one
 * axis past all others ten times as fast as it exchanges three.
 */
export function positionsFirst(b: GraphWriter, weight: string): string {
  const [outputs, channels, ...kernel] = b.shape(weight) as readonly number[];
  const rows = b.reshape(weight, [outputs! * channels!, elementCount(kernel)]);
  return b.op('Transpose', [rows], { perm: ints([1, 0]) });
}

export function positionsLast(b: GraphWriter, rows: string, shape: readonly number[]): string {
  return b.reshape(b.op('Transpose', [rows], { perm: ints([1, 0]) }), shape);
}

/** As `positionsFirst`, the positions from the last to the first: the kernel turned around. */
export function positionsBackwards(b: GraphWriter, weight: string): string {
  const positions = elementCount(b.shape(weight).slice(2) as readonly number[]);
  const backwards = b.constant(int64Tensor([positions], [...Array(positions).keys()].reverse()));
  return b.op('Gather', [positionsFirst(b, weight), backwards], { axis: int(0) });
}
