import type { Operator } from './operator.ts';

export const dropoutOperators: readonly Operator[] = [
  {
    op: 'Dropout',
    infer: (context) => ({ types: [context.input(0), { ...context.input(0), dtype: 'bool' }] }),
    decomposition: {
      into: 'a mask from the client’s random stream in training, nothing in evaluation',
      write: (b, _, inputs) => b.op('Identity', [inputs[0]!]),
    },
  },
];
