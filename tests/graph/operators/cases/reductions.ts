import { type Attributes, int, int64Tensor } from '../../../../graph/ir.ts';
import { distinct, type GradientCase, real, type Variable } from '../../../support/gradient-case.ts';

const inputs: Readonly<Record<string, (dims: readonly number[]) => Variable>> = {
  ReduceSum: real,
  ReduceMean: real,
  ReduceSumSquare: real,
  ReduceL1: (dims) => real(dims, { avoid: [0] }),
  ReduceL2: real,
  ReduceLogSumExp: real,
  ReduceLogSum: (dims) => real(dims, { low: 0.5, high: 3 }),
  ReduceProd: real,
  ReduceMax: distinct,
  ReduceMin: distinct,
};

const axes = (values: readonly number[]) => int64Tensor([values.length], values);
const dropped: Attributes = { keepdims: int(0) };

/** Zeros, where a quotient by the element itself would fail. */
const productOfZeros: GradientCase = {
  title: 'one zero in a row, two in another, none in the third',
  op: 'ReduceProd',
  inputs: [real([3, 3], { values: [1, 0, 2, 0, 3, 0, -1, 2, 0.5] }), axes([1])],
  attributes: dropped,
};

const cumulative: GradientCase[] = [0, 1].flatMap((reverse) =>
  [0, 1].map((exclusive) => ({
    title: `reverse ${reverse}, exclusive ${exclusive}`,
    op: 'CumSum',
    inputs: [real([2, 3]), int64Tensor([], [reverse - 1])],
    attributes: { reverse: int(reverse), exclusive: int(exclusive) },
    linear: true,
  })),
);

export const reductionCases: readonly GradientCase[] = Object.entries(inputs)
  .flatMap(([op, input]): GradientCase[] => [
    { title: 'all axes', op, inputs: [input([2, 3])] },
    { title: 'all axes, dropped', op, inputs: [input([2, 3])], attributes: dropped },
    { title: 'one axis kept', op, inputs: [input([2, 3, 2]), axes([1])] },
    { title: 'one axis dropped', op, inputs: [input([2, 3, 2]), axes([1])], attributes: dropped },
    { title: 'the last axis by a negative number', op, inputs: [input([2, 3]), axes([-1])], attributes: dropped },
    { title: 'two axes out of order', op, inputs: [input([2, 3, 2]), axes([2, 0])], attributes: dropped },
    {
      title: 'no axes, which is no reduction',
      op,
      inputs: [real([2, 3], { low: 0.5, high: 2.5 }), axes([])],
      attributes: { noop_with_empty_axes: int(1) },
    },
    {
      title: 'unknown sizes',
      op,
      inputs: [{ ...input([2, 3, 2]), shape: ['batch', 'frames', 2] }, axes([1])],
      attributes: dropped,
    },
  ])
  .concat(productOfZeros, cumulative);
