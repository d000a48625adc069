import { expect, test } from '@jest/globals';
import { GraphBuilder } from '../../graph/builder.ts';
import { type Dim, int, int64Tensor, type Node } from '../../graph/ir.ts';
import { writeSequence } from '../../graph/sequences.ts';

const node = (op: string, inputs: string[], attributes: Node['attributes'] = {}): Node => ({
  name: 'mine',
  op,
  domain: '',
  inputs,
  outputs: ['result'],
  attributes,
});

/** The sizes of the parts that a tensor of a shape is split into. */
function parts(shape: readonly Dim[], sizes: readonly number[] | number | undefined, attributes: Node['attributes']) {
  const b = new GraphBuilder();
  const names = new Map([['x', b.input('x', 'float32', shape)]]);
  if (sizes !== undefined) {
    const [dims, values] = typeof sizes === 'number' ? [[], [sizes]] : [[sizes.length], sizes];
    names.set('sizes', b.constant(int64Tensor(dims, values)));
  }
  const sequences = new Map<string, readonly string[]>();
  writeSequence(b, node('SplitToSequence', sizes === undefined ? ['x'] : ['x', 'sizes'], attributes), names, sequences);
  return sequences.get('result')!.map((part) => b.shape(part));
}

test('a split by one size leaves a smaller rest, by sizes keeps to them, by none takes single slices', () => {
  const last = { axis: int(-1) };
  expect(parts([2, 7], 3, last)).toEqual([
    [2, 3],
    [2, 3],
    [2, 1],
  ]);
  expect(parts(['n', 7], [2, 5], last)).toEqual([
    ['n', 2],
    ['n', 5],
  ]);
  expect(parts([2, 3], undefined, {})).toEqual([
    [1, 3],
    [1, 3],
  ]);
  expect(parts([2, 3], undefined, { axis: int(0), keepdims: int(0) })).toEqual([[3], [3]]);
});

test('sequences whose length is unknown when the graph is compiled are refused by the name of the node', () => {
  expect(() => parts([2, 'frames'], 3, { axis: int(1) })).toThrow(/'mine' \(SplitToSequence\): axis 1 has a size/);
  const b = new GraphBuilder();
  const names = new Map([['at', b.input('at', 'int64', [])]]);
  const sequences = new Map([['s', ['a', 'b']]]);
  const write = (op: string, inputs: string[]) => () => writeSequence(b, node(op, inputs), names, sequences);
  expect(write('SequenceAt', ['s', 'at'])).toThrow(/'mine' \(SequenceAt\): the position must be known/);
  expect(write('ConcatFromSequence', ['t'])).toThrow(/reads 't', which nothing produces/);
  names.set('five', b.index(5));
  expect(write('SequenceAt', ['s', 'five'])).toThrow(/inside the sequence/);
});

test('the length of a sequence is known', () => {
  const b = new GraphBuilder();
  const names = new Map<string, string>();
  writeSequence(b, node('SequenceLength', ['s']), names, new Map([['s', ['a', 'b']]]));
  expect(b.knownIntegers(names.get('result')!)).toEqual([2]);
});
