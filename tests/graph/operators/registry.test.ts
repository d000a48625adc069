import { expect, test } from '@jest/globals';
import { hasShapeRule } from '../../../graph/operators/infer.ts';
import { differentiableOperators, gradientRule, isFlat } from '../../../graph/operators/registry.ts';
import { activationCases } from './cases/activations.ts';
import { arithmeticCases } from './cases/arithmetic.ts';
import { convolutionCases } from './cases/convolution.ts';
import { indexingCases } from './cases/indexing.ts';
import { matrixCases } from './cases/matrix.ts';
import { movementCases } from './cases/movement.ts';
import { normalisationCases } from './cases/normalisation.ts';
import { paddingCases } from './cases/padding.ts';
import { poolingCases } from './cases/pooling.ts';
import { rearrangementCases } from './cases/rearrangement.ts';
import { recurrentCases } from './cases/recurrent.ts';
import { reductionCases } from './cases/reductions.ts';
import { resizeCases } from './cases/resize.ts';
import { softmaxCases } from './cases/softmax.ts';
import { trigonometricCases } from './cases/trigonometric.ts';

const cases = [
  activationCases,
  arithmeticCases,
  convolutionCases,
  indexingCases,
  matrixCases,
  movementCases,
  normalisationCases,
  paddingCases,
  poolingCases,
  rearrangementCases,
  recurrentCases,
  resizeCases,
  reductionCases,
  softmaxCases,
  trigonometricCases,
].flat();

test('every operator with a gradient rule is compared with finite differences', () => {
  expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(differentiableOperators());
});

test.each(differentiableOperators())('%s: its shapes can be inferred, and it is not flat', (op) => {
  expect({ shape: hasShapeRule(op), flat: isFlat(op), rule: gradientRule(op)?.op }).toEqual({
    shape: true,
    flat: false,
    rule: op,
  });
});
