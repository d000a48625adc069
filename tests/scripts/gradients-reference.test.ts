import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { differentiableOperators } from '../../graph/operators/registry.ts';
import { gradientsReference } from '../../scripts/docs/gradients-reference.ts';

test('docs/gradients.md is what `npm run docs` writes', () => {
  const file = fileURLToPath(new URL('../../docs/gradients.md', import.meta.url));
  expect(readFileSync(file, 'utf8')).toBe(gradientsReference());
});

test('every operator has one row that says what its backward pass reads', () => {
  const page = gradientsReference();
  for (const op of differentiableOperators()) expect(page.split(`\n| ${op} | `)).toHaveLength(2);
  expect(page).toContain('| Mul | input 0, input 1 |');
  expect(page).toContain('| Sigmoid | output 0 |');
  expect(page).toContain('| Add | nothing |');
  expect(page).toContain('| Einsum | inputs |');
});
