import type { GraphBuilder } from './builder.ts';
import type { ClientVisits } from './client-visits.ts';
import { float32Tensor, int } from './ir.ts';
import type { LoopState } from './loop-state.ts';

/** One factor of a dense layer's gradient PᵀQ: the rows of this step, and those of the steps before. */
export interface Factor {
  /** [batch, past]: rows L times the transposed rows of the steps before. */
  readonly against: (left: string) => string;
  /** Rows of the steps before, [past, columns]. */
  readonly past: () => string;
  /** [batch, batch]: this step's rows times their transpose, without the step's rate. */
  readonly gram: () => string;
  /** The loop's state with this step's rows behind the others; undefined for data, which is known before the loop. */
  readonly append: () => LoopState | undefined;
  /** All rows, behind the loop. @param final the last value of a state, by its name */
  readonly all: (final: (state: string) => string) => string;
}

export interface FactorOptions {
  /** What each row is scaled by. */
  readonly rate: string | undefined;
  /** Whether products of rows count one column more that holds nothing but ones, for the layer's bias. */
  readonly withOnes: boolean;
}

const transposed = { transB: int(1) };

/** Columns of a matrix; 0 when they are not known. */
export function widthOf(b: GraphBuilder, matrix: string): number {
  const columns = b.shape(matrix)[1];
  return typeof columns === 'number' ? columns : 0;
}

/**
 * @param layer the outer value that the factor's layer is before the loop; names its state
 * @param value rows of the mini-batch, [batch, columns]
 */
export function factorOf(
  outer: GraphBuilder,
  b: GraphBuilder,
  visits: ClientVisits,
  layer: string,
  value: string,
  { rate, withOnes }: FactorOptions,
): Factor {
  const ones = withOnes ? [b.scalar(1)] : [];
  const times = (builder: GraphBuilder, left: string, right: string) =>
    builder.op('Gemm', [left, right, ...ones], transposed);
  if (visits.has(value) && rate === undefined) return visitedRows(outer, b, visits, value, times);
  const columns = widthOf(b, value);
  const name = b.input(b.unique(`history/${layer}`), 'float32', ['past', columns]);
  const initial = outer.constant(float32Tensor([0, columns], []), outer.unique(`history/none/${layer}`));
  return {
    past: () => name,
    against: (left) => times(b, left, name),
    gram: () => times(b, value, value),
    append: () => {
      const rows = rate === undefined ? value : b.op('Mul', [value, rate]);
      return { name, initial, next: b.op('Concat', [name, rows], { axis: int(0) }) };
    },
    all: (final) => final(name),
  };
}

/** Rows of the client's data, all of which are known before the loop, with their products. */
function visitedRows(
  outer: GraphBuilder,
  b: GraphBuilder,
  visits: ClientVisits,
  value: string,
  times: (builder: GraphBuilder, left: string, right: string) => string,
): Factor {
  const { start, end } = visits.batch;
  const all = visits.over(value);
  const products = outer.within('visits', () => times(outer, all, all));
  const columns = (from: string, to: string) => b.op('Slice', [visits.rowsOf(products), from, to, b.axes([1])]);
  const past = () => b.op('Slice', [all, b.axes([0]), start, b.axes([0])]);
  return {
    past,
    against: (left) => (left === value ? columns(b.axes([0]), start) : times(b, left, past())),
    gram: () => columns(start, end),
    append: () => undefined,
    all: () => all,
  };
}
