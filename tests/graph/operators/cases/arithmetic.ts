import { float32Tensor, int } from '../../../../graph/ir.ts';
import { distinct, type GradientCase, real } from '../../../support/gradient-case.ts';

const positive = { low: 0.5, high: 2.5 };

const linearPairs = ['Add', 'Sub'].flatMap((op): GradientCase[] => [
  { title: 'equal shapes', op, inputs: [real([2, 3]), real([2, 3])], linear: true },
  { title: 'a row under a matrix', op, inputs: [real([2, 3]), real([3])], linear: true },
  { title: 'a column and a row', op, inputs: [real([4, 1]), real([1, 3])], linear: true },
  { title: 'a scalar', op, inputs: [real([]), real([2, 2])], linear: true },
  { title: 'an inner axis of size 1', op, inputs: [real([2, 3, 2]), real([2, 1, 2])], linear: true },
]);

const symbolicSums: GradientCase[] = [
  {
    title: 'a bias under a batch of unknown size',
    op: 'Add',
    inputs: [real([4, 3], { shape: ['n', 3] }), real([3])],
    linear: true,
  },
  {
    title: 'unknown sizes of which one is 1 when the graph runs',
    op: 'Add',
    inputs: [real([1, 3], { shape: ['m', 3] }), real([4, 3], { shape: ['n', 3] })],
    linear: true,
  },
  {
    title: 'an unknown size against a known one, 1 when the graph runs',
    op: 'Add',
    inputs: [real([1, 2], { shape: ['m', 2] }), real([3, 2])],
    linear: true,
  },
  {
    title: 'unknown sizes that are equal when the graph runs',
    op: 'Sub',
    inputs: [real([3, 2], { shape: ['m', 2] }), real([3, 2], { shape: ['n', 2] })],
    linear: true,
  },
  {
    title: 'unknown sizes under operands of different rank',
    op: 'Mul',
    inputs: [real([2, 3, 2], { shape: ['batch', 'frames', 2] }), real([1, 2], { shape: ['rows', 2] })],
  },
];

const products: GradientCase[] = [
  { title: 'equal shapes', op: 'Mul', inputs: [real([2, 3]), real([2, 3])] },
  { title: 'both operands broadcast', op: 'Mul', inputs: [real([2, 1, 3]), real([4, 1])] },
  { title: 'equal shapes', op: 'Div', inputs: [real([2, 3]), real([2, 3], positive)] },
  { title: 'both operands broadcast', op: 'Div', inputs: [real([3, 1]), real([2], positive)] },
  { title: 'base and exponent', op: 'Pow', inputs: [real([2, 3], positive), real([3])] },
  {
    title: 'a constant square of negative bases',
    op: 'Pow',
    inputs: [real([5], { avoid: [0] }), float32Tensor([], [2])],
  },
  { title: 'a constant cube', op: 'Pow', inputs: [real([2, 2], { avoid: [0] }), float32Tensor([1], [3])] },
];

const extremes = ['Max', 'Min'].flatMap((op): GradientCase[] => {
  const values = distinct([12]).values;
  return [
    {
      title: 'two operands',
      op,
      inputs: [real([2, 3], { values: values.slice(0, 6) }), real([2, 3], { values: values.slice(6) })],
    },
    {
      title: 'three operands, broadcasting',
      op,
      inputs: [
        real([2, 3], { values: values.slice(0, 6) }),
        real([3], { values: values.slice(6, 9) }),
        real([2, 1], { values: values.slice(9, 11) }),
      ],
    },
    { title: 'a single operand', op, inputs: [real([3])] },
  ];
});

const variadic = ['Sum', 'Mean'].flatMap((op): GradientCase[] => [
  { title: 'three operands, broadcasting', op, inputs: [real([2, 3]), real([3]), real([2, 1])], linear: true },
  { title: 'a single operand', op, inputs: [real([3])], linear: true },
]);

const unary: GradientCase[] = [
  { title: 'elementwise', op: 'Neg', inputs: [real([2, 3])], linear: true },
  { title: 'away from 0', op: 'Abs', inputs: [real([8], { avoid: [0] })] },
  { title: 'positive values', op: 'Sqrt', inputs: [real([2, 3], positive)] },
  { title: 'both signs', op: 'Reciprocal', inputs: [real([6], { avoid: [0, 0.25, -0.25] })] },
  { title: 'elementwise', op: 'Exp', inputs: [real([2, 3])] },
  { title: 'positive values', op: 'Log', inputs: [real([2, 3], positive)] },
];

const pieces: GradientCase[] = [
  {
    title: 'both signs, a remainder that is learned',
    op: 'Mod',
    inputs: [
      real([4], { values: [1.7, -1.7, 0.3, -2.2] }),
      real([2, 4], { values: [0.6, 0.6, 1, 0.7, -0.6, 0.5, 1, -0.8] }),
    ],
    attributes: { fmod: int(1) },
  },
  {
    title: 'both bounds',
    op: 'Clip',
    inputs: [real([10], { avoid: [-1, 0.5] }), float32Tensor([], [-1]), float32Tensor([], [0.5])],
  },
  { title: 'a lower bound', op: 'Clip', inputs: [real([8], { avoid: [0] }), float32Tensor([], [0])] },
  { title: 'an upper bound', op: 'Clip', inputs: [real([8], { avoid: [0] }), undefined, float32Tensor([], [0])] },
  { title: 'no bounds', op: 'Clip', inputs: [real([3])] },
];

export const arithmeticCases: readonly GradientCase[] = [
  ...linearPairs,
  ...symbolicSums,
  ...products,
  ...extremes,
  ...variadic,
  ...unary,
  ...pieces,
];
