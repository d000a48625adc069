import { expect, test } from '@jest/globals';
import { describeGradients, gradientsOf } from '../../support/finite-differences.ts';
import { real } from '../../support/gradient-case.ts';
import { activationCases } from './cases/activations.ts';

describeGradients('activations', activationCases);

test('Relu: no gradient at 0, the whole gradient just above it', async () => {
  const inputs = [real([4], { values: [0, -0, 1e-37, -1e-37] })];
  const [gradient] = await gradientsOf({ title: 'at 0', op: 'Relu', inputs }, () => 3);
  expect(gradient).toEqual([0, 0, 3, 0]);
});
