import { type Attributes, float, int, text } from '../../../../graph/ir.ts';
import { type GradientCase, real, type Variable } from '../../../support/gradient-case.ts';

const product = (title: string, a: Variable, b: Variable): GradientCase => ({
  title,
  op: 'MatMul',
  inputs: [a, b],
  linear: true,
});

const products: GradientCase[] = [
  product('two matrices', real([2, 3]), real([3, 4])),
  product('a weight under a batch', real([2, 3, 4]), real([4, 5])),
  product(
    'a weight under a batch and frames of unknown size',
    real([2, 3, 4], { shape: ['batch', 'frames', 4] }),
    real([4, 2]),
  ),
  product('two batch axes', real([2, 2, 3, 4]), real([2, 2, 4, 2])),
  product('a batch of 1 on the left', real([1, 2, 3]), real([3, 3, 2])),
  product('a batch of 1 on the right', real([3, 2, 3]), real([1, 3, 2])),
  product('crossed batches of 1', real([2, 1, 2, 3]), real([1, 3, 3, 2])),
  product('a matrix on the left of a batch', real([2, 3]), real([4, 3, 2])),
  product('fewer batch axes on the right', real([2, 3, 2, 3]), real([3, 3, 2])),
  product(
    'batches of unknown size, one of them 1 when the graph runs',
    real([1, 2, 3], { shape: ['m', 2, 3] }),
    real([2, 3, 2], { shape: ['n', 3, 2] }),
  ),
  product(
    'attention scores: every size but the inner one unknown',
    real([2, 2, 3, 4], { shape: ['batch', 2, 'frames', 4] }),
    real([2, 2, 4, 3], { shape: ['batch', 2, 4, 'frames'] }),
  ),
  product(
    'an inner size that is unknown',
    real([2, 3, 4], { shape: ['batch', 3, 'frames'] }),
    real([2, 4, 2], { shape: ['batch', 'frames', 2] }),
  ),
  product(
    'an unknown inner size against a matrix',
    real([2, 3], { shape: ['n', 'k'] }),
    real([3, 2], { shape: ['k', 2] }),
  ),
  product('two vectors', real([4]), real([4])),
  product('a matrix and a vector', real([3, 4]), real([4])),
  product('a vector and a matrix', real([3]), real([3, 4])),
  product('a batch and a vector', real([2, 3, 4]), real([4])),
  product('a vector and a batch', real([3]), real([2, 3, 4])),
  product('a batch of unknown size and a vector', real([3, 4], { shape: ['n', 4] }), real([4])),
];

const gemm = (title: string, inputs: Variable[], attributes: Attributes = {}): GradientCase => ({
  title,
  op: 'Gemm',
  inputs,
  attributes,
  linear: true,
});

const gemms: GradientCase[] = [0, 1].flatMap((transA) =>
  [0, 1].map((transB) =>
    gemm(
      `transA ${transA}, transB ${transB}, alpha 0.7, beta −1.3`,
      [real(transA ? [3, 2] : [2, 3]), real(transB ? [4, 3] : [3, 4]), real([2, 4])],
      { transA: int(transA), transB: int(transB), alpha: float(0.7), beta: float(-1.3) },
    ),
  ),
);

const einsum = (equation: string, ...inputs: Variable[]): GradientCase => ({
  title: equation,
  op: 'Einsum',
  inputs,
  attributes: { equation: text(equation) },
  linear: true,
});

const einsums: GradientCase[] = [
  einsum('ij,jk->ik', real([2, 3]), real([3, 4])),
  einsum(
    'bhqd,bhkd->bhqk',
    real([2, 2, 3, 2], { shape: ['n', 2, 't', 2] }),
    real([2, 2, 4, 2], { shape: ['n', 2, 'u', 2] }),
  ),
  einsum('bqd,hde->bhqe', real([2, 3, 2]), real([2, 2, 3])),
  einsum('ij->ji', real([2, 3])),
  einsum('ij->i', real([2, 3])),
  einsum('ij->', real([2, 3])),
  einsum('bii->bi', real([2, 3, 3], { shape: ['n', 3, 3] })),
  einsum('bii->b', real([2, 3, 3], { shape: ['n', 't', 't'] })),
  einsum('ii,ij->ij', real([3, 3]), real([3, 2])),
  einsum('ijij->ij', real([2, 3, 2, 3])),
  einsum('ij,kj', real([2, 3]), real([4, 3])),
  einsum('i,j->ij', real([2]), real([3])),
  einsum('ij,jk,kl->il', real([2, 2]), real([2, 3]), real([3, 2])),
  einsum('...ij,...jk->...ik', real([2, 2, 3]), real([2, 3, 2])),
];

export const matrixCases: readonly GradientCase[] = [
  ...products,
  ...gemms,
  ...einsums,
  gemm('no bias', [real([2, 3]), real([3, 4])]),
  gemm('a row as bias', [real([2, 3]), real([3, 4]), real([4])]),
  gemm('a column as bias', [real([2, 3]), real([3, 4]), real([2, 1])]),
  gemm('a scalar as bias', [real([2, 3]), real([3, 4]), real([])]),
  gemm('a batch of unknown size', [real([2, 3], { shape: ['n', 3] }), real([3, 4]), real([4])]),
];
