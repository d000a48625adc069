import type { GraphBuilder } from '../builder.ts';
import { type Dim, ints } from '../ir.ts';

/**
 * The logits of transcriptions as [batch, frames, symbols], and what brings a gradient back into their own order. PyTorch's CTC takes
 * [frames, batch, symbols], and models that were made for it give that; where the batch is shows by its size.
 * @param logits of three axes
 * @param batch the size of a mini-batch, as the graph names it
 */
export function batchFirst(b: GraphBuilder, logits: string, batch: Dim): [string, (gradient: string) => string] {
  const [first, second] = b.shape(logits);
  if (first === batch || second !== batch) return [logits, (gradient) => gradient];
  const exchanged = (value: string) => b.op('Transpose', [value], { perm: ints([1, 0, 2]) });
  return [exchanged(logits), exchanged];
}
