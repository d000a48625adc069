import type { DataField } from './binding.ts';
import type { GraphBuilder } from './builder.ts';
import { int, toTheEnd } from './ir.ts';

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
  /** int64 [steps], an outer value: examples in the mini-batch of each step. */
  readonly sizes: string;
}

/** Cuts the step's mini-batch out of the client's data; padded sequences are cut to the longest of the batch. */
export function writeMiniBatch(
  outer: GraphBuilder,
  b: GraphBuilder,
  step: string,
  { field, order, offsets }: ClientData,
  fields: readonly DataField[],
  padded: boolean,
): MiniBatch {
  const starts = outer.op('Slice', [offsets, b.axes([0]), b.axes([-1]), b.axes([0])]);
  const ends = outer.op('Slice', [offsets, b.axes([1]), b.axes([toTheEnd]), b.axes([0])]);
  for (const table of [starts, ends]) outer.declare(table, { dtype: 'int64', shape: ['steps'] });
  const ofStep = (table: string) => {
    const found = b.op('Gather', [outer.reshape(table, [-1, 1]), step], { axis: int(0) });
    b.declare(found, { dtype: 'int64', shape: [1] });
    return found;
  };
  const [start, end] = [ofStep(starts), ofStep(ends)];
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
  return { rows, chosen, start, end, sizes: outer.op('Sub', [ends, starts]) };
}
