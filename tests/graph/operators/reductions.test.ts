import { expect, test } from '@jest/globals';
import { describeGradients, gradientsOf } from '../../support/finite-differences.ts';
import { real } from '../../support/gradient-case.ts';
import { reductionCases } from './cases/reductions.ts';

describeGradients('reductions', reductionCases);

test.each(['ReduceMax', 'ReduceMin'])('%s: equal extremes share the gradient', async (op) => {
  const inputs = [real([4], { values: [2, 2, 2, 2] })];
  expect(await gradientsOf({ title: 'ties', op, inputs }, () => 1)).toEqual([[0.25, 0.25, 0.25, 0.25]]);
});

test('ReduceL2: the gradient at the origin is 0, not a division by 0', async () => {
  const inputs = [real([3], { values: [0, 0, 0] })];
  expect(await gradientsOf({ title: 'origin', op: 'ReduceL2', inputs }, () => 1)).toEqual([[0, 0, 0]]);
});
