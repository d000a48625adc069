import { expect, test } from '@jest/globals';
import { differentiableOperators, operators } from '../../../graph/operators/registry.ts';
import { gradientCases } from './cases/all.ts';

test('every operator with a gradient rule is compared with finite differences', () => {
  expect([...new Set(gradientCases.map(({ op }) => op))].sort()).toEqual(differentiableOperators());
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
  ]);
});

test('the types of an operator can be inferred, unless it is taken apart before', () => {
  const unknown = operators.filter(({ infer, decomposition }) => !infer && !decomposition);
  expect(unknown.map(({ op }) => op)).toEqual([]);
});
