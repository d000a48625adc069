import type { DataField } from './binding.ts';
import type { GraphBuilder } from './builder.ts';
import { int } from './ir.ts';

/** Where a client's data and the order of its mini-batches come from: inputs of the training graph. */
export interface ClientData {
  /** Data field → value [examples, …]. */
  readonly field: (name: string) => string;
  readonly isField: (value: string) => boolean;
  /** int32 [visits]: example indices, batch after batch. */
  readonly order: string;
  /** int64 [steps + 1]: where each batch starts in the order. */
  readonly offsets: string;
}

/** The mini-batch of one local step. */
export interface MiniBatch {
  /** Data field → its rows [batch, …]. */
  readonly rows: ReadonlyMap<string, string>;
  /** int32 [batch]: the examples. */
  readonly chosen: string;
  /** int64 [1]: where the batch starts in the client's visits, and where it ends. */
  readonly start: string;
  readonly end: string;
}

/** Cuts the step's mini-batch out of the client's data; padded sequences are cut to the longest of the batch. */
export function writeMiniBatch(
  b: GraphBuilder,
  step: string,
  { field, order, offsets }: ClientData,
  fields: readonly DataField[],
  padded: boolean,
): MiniBatch {
  const offset = (index: string) => b.op('Gather', [offsets, index], { axis: int(0) });
  const number = b.op('Unsqueeze', [step, b.axes([0])]);
  const start = offset(number);
  const end = offset(b.op('Add', [number, b.axes([1])]));
  const chosen = b.op('Slice', [order, start, end, b.axes([0])]);
  b.declare(chosen, { dtype: 'int32', shape: ['batch'] });
  const rows = new Map(fields.map(({ name }) => [name, b.op('Gather', [field(name), chosen], { axis: int(0) })]));
  const sequences = [
    ['features', 'lengths'],
    ['targets', 'target_lengths'],
  ] as const;
  for (const [sequence, lengths] of padded ? sequences : []) {
    const whole = rows.get(sequence)!;
    const longest = b.op('Cast', [b.op('ReduceMax', [rows.get(lengths)!, b.axes([0])])], { to: int(7) });
    const cut = b.op('Slice', [whole, b.axes([0]), longest, b.axes([1])]);
    b.declare(cut, b.type(whole));
    rows.set(sequence, cut);
  }
  return { rows, chosen, start, end };
}
