import { expect, test } from '@jest/globals';
import { differentiableOperators, operators } from '../../../graph/operators/registry.ts';
import { activationCases } from './cases/activations.ts';
import { arithmeticCases } from './cases/arithmetic.ts';
import { convolutionCases } from './cases/convolution.ts';
import { indexingCases } from './cases/indexing.ts';
import { logicCases } from './cases/logic.ts';
import { matrixCases } from './cases/matrix.ts';
import { normalisationCases } from './cases/normalisation.ts';
import { paddingCases } from './cases/padding.ts';
import { poolingCases } from './cases/pooling.ts';
import { rearrangementCases } from './cases/rearrangement.ts';
import { recurrentCases } from './cases/recurrent.ts';
import { reductionCases } from './cases/reductions.ts';
import { reshapingCases } from './cases/reshaping.ts';
import { resizeCases } from './cases/resize.ts';
import { slicingCases } from './cases/slicing.ts';
import { softmaxCases } from './cases/softmax.ts';
import { trigonometricCases } from './cases/trigonometric.ts';

const cases = [
  activationCases,
  arithmeticCases,
  convolutionCases,
  indexingCases,
  logicCases,
  matrixCases,
  normalisationCases,
  paddingCases,
  poolingCases,
  rearrangementCases,
  recurrentCases,
  reductionCases,
  reshapingCases,
  resizeCases,
  slicingCases,
  softmaxCases,
  trigonometricCases,
].flat();

test('every operator with a gradient rule is compared with finite differences', () => {
  expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(differentiableOperators());
});

test('an operator has one entry', () => {
  const names = operators.map(({ op }) => op);
  expect(names.filter((op, i) => names.indexOf(op) < i)).toEqual([]);
});

test('an operator that a model may bring has a gradient or is taken apart, and not both', () => {
  const both = operators.filter(({ gradient, decomposition }) => gradient && decomposition);
  expect(both.map(({ op }) => op)).toEqual([]);
  const neither = operators.filter(({ gradient, decomposition }) => !gradient && !decomposition);
  // These the compiler itself writes.
  expect(neither.map(({ op }) => op).sort()).toEqual([
    'BitShift',
    'BitwiseXor',
    'FusedMatMul',
    'ReorderInput',
    'ReorderOutput',
    'SoftmaxCrossEntropyLoss',
  ]);
});

test('the types of an operator can be inferred, unless it is taken apart before', () => {
  const unknown = operators.filter(({ infer, decomposition }) => !infer && !decomposition);
  expect(unknown.map(({ op }) => op)).toEqual([]);
});
