import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../graph/builder.ts';
import { int, type Model } from '../../graph/ir.ts';
import type { LossSpec } from '../../graph/losses/spec.ts';
import { probabilitiesOf } from '../../graph/probabilities.ts';

/** Probabilities of the input, by one node of this kind. */
function model(op: string, axis?: number, opset = 21, rank = 2): Model {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['n', ...Array.from({ length: rank - 1 }, (_, i) => i + 4)]);
  const y = b.op(op, [x], axis === undefined ? {} : { axis: int(axis) });
  b.op('Identity', [y], {}, { outputNames: ['y'] });
  return { graph: b.build('probabilities', ['y']), opset, weights: [] };
}

test.each<[string, Model, LossSpec['kind'], string | undefined]>([
  ['a softmax of classes', model('Softmax'), 'cross-entropy', 'Softmax'],
  ['with its axis', model('Softmax', 1), 'cross-entropy', 'Softmax'],
  ['of an old file', model('Softmax', undefined, 11), 'cross-entropy', 'Softmax'],
  ['of symbols', model('Softmax', 2, 21, 3), 'ctc', 'Softmax'],
  ['of symbols, counted from the end', model('Softmax', -1, 21, 3), 'ctc', 'Softmax'],
  ['of pixels, classes on the second axis', model('Softmax', 1, 21, 4), 'cross-entropy', 'Softmax'],
  ['a sigmoid of labels', model('Sigmoid'), 'bce', 'Sigmoid'],
  ['along another axis', model('Softmax', 1, 21, 3), 'ctc', undefined],
  ['of an old file, over two axes', model('Softmax', undefined, 11, 3), 'ctc', undefined],
  ['of an old file, over pixels too', model('Softmax', 1, 11, 4), 'cross-entropy', undefined],
  ['log-probabilities', model('LogSoftmax'), 'cross-entropy', undefined],
  ['a sigmoid of classes', model('Sigmoid'), 'cross-entropy', undefined],
  ['a softmax of labels', model('Softmax'), 'bce', undefined],
  ['a softmax that is compared as it is', model('Softmax'), 'mse', undefined],
])('%s', (_, given, kind, op) => {
  expect(probabilitiesOf(given, 'y', kind)).toEqual(op === undefined ? undefined : { op, of: 'x' });
});
