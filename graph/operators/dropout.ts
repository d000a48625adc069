import type { Operator } from './operator.ts';

export const dropoutOperators: readonly Operator[] = [
  { op: 'Dropout', infer: (context) => ({ types: [context.input(0), { ...context.input(0), dtype: 'bool' }] }) },
];
