import { expect, test } from '@jest/globals';
import { describeGradients, gradientsOf } from '../../support/finite-differences.ts';
import { real } from '../../support/gradient-case.ts';
import { arithmeticCases } from './cases/arithmetic.ts';

describeGradients('arithmetic', arithmeticCases);

test.each(['Max', 'Min'])('%s: equal operands share the gradient', async (op) => {
  const inputs = [real([2], { values: [1, 3] }), real([2], { values: [1, 3] })];
  expect(await gradientsOf({ title: 'ties', op, inputs }, (i) => i + 1)).toEqual([
    [0.5, 1],
    [0.5, 1],
  ]);
});
