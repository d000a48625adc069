import { describe, expect, test } from '@jest/globals';
import { ModelError } from '../../errors.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { int, int64Tensor, ints } from '../../graph/ir.ts';

describe('a graph builder', () => {
  test('keeps 0 and −0 apart, and equal constants together', () => {
    const b = new GraphBuilder();
    expect(b.scalar(0)).not.toBe(b.scalar(-0));
    expect(b.scalar(2)).toBe(b.scalar(2));
    expect(b.index(2)).not.toBe(b.scalar(2));
    expect(b.index(2)).not.toBe(b.axes([2]));
  });

  test('folds shape arithmetic on known sizes', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [4, 6]);
    const half = b.op('Div', [b.op('Gather', [b.shapeOf(x), b.index(1)], { axis: int(0) }), b.index(2)]);
    expect(b.constantTensor(half)?.data).toEqual(BigInt64Array.of(3n));
    expect(b.nodes).toHaveLength(0);
  });

  test('follows unknown sizes through shape arithmetic', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 't', 6]);
    const rows = b.op('Mul', [
      b.op('Gather', [b.shapeOf(x), b.axes([0])], { axis: int(0) }),
      b.op('Gather', [b.shapeOf(x), b.axes([1])], { axis: int(0) }),
    ]);
    const flat = b.op('Reshape', [x, b.op('Concat', [rows, b.axes([-1])], { axis: int(0) })]);
    expect(b.shape(flat)).toEqual(['n*t', 6]);
  });

  test('folds the pads of an image as exporters turn them around', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 2, 5, 6]);
    // Width first, then height, each before and after; then zeros for the channels and the batch.
    const zeros = b.op('ConstantOfShape', [b.axes([4])], { value: { kind: 'tensor', value: int64Tensor([1], [0]) } });
    const pairs = b.reshape(b.op('Concat', [b.axes([1, 0, 2, 3]), zeros], { axis: int(0) }), [-1, 2]);
    const turned = b.op('Slice', [pairs, b.axes([-1]), b.axes([-(2 ** 63)]), b.axes([0]), b.axes([-1])]);
    const pads = b.reshape(b.op('Transpose', [turned], { perm: ints([1, 0]) }), [-1]);
    expect(b.knownIntegers(pads)).toEqual([0, 0, 2, 1, 0, 0, 3, 0]);
    expect(b.shape(b.op('Pad', [x, pads]))).toEqual(['n', 2, 10, 7]);
    expect(b.nodes.map(({ op }) => op)).toEqual(['Pad']);
  });

  test('folds the target of an Expand, in which −1 keeps a size', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 1, 3]);
    const batch = b.op('Shape', [x], { start: int(0), end: int(1) });
    const target = b.op('Concat', [batch, b.axes([4, -1])], { axis: int(0) });
    const keep = b.op('Equal', [target, b.axes([-1, -1, -1])]);
    const sizes = b.op('Where', [keep, b.axes([1, 1, 1]), target]);
    expect(b.knownIntegers(sizes)).toEqual(['n', 4, 1]);
    expect(b.shape(b.op('Expand', [x, sizes]))).toEqual(['n', 4, 3]);
  });

  test.each([
    [7, 3, 1],
    [-7, 3, 2],
    [7, -3, -2],
    [-6, 3, 0],
  ])('folds %d mod %d, which has the sign of the divisor: %d', (a, d, expected) => {
    const b = new GraphBuilder();
    expect(b.constantTensor(b.op('Mod', [b.index(a), b.index(d)]))?.data).toEqual(BigInt64Array.of(BigInt(expected)));
    const kept = b.op('Mod', [b.index(a), b.index(d)], { fmod: int(1) });
    expect(b.constantTensor(kept)?.data).toEqual(BigInt64Array.of(BigInt(a % d)));
  });

  test('divides integers toward zero, and leaves a division by zero to the runtime', () => {
    const b = new GraphBuilder();
    expect(b.knownIntegers(b.op('Div', [b.index(-7), b.index(2)]))).toEqual([-3]);
    expect(b.knownIntegers(b.op('Div', [b.index(7), b.index(0)]))).toBeUndefined();
    expect(b.knownIntegers(b.op('Mod', [b.index(7), b.index(0)]))).toBeUndefined();
  });

  test('folds the place of a new axis, of a shape whose other sizes are open', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['t', 'n', 18]);
    const at = b.op('Mod', [b.axes([2]), b.axes([3])]);
    const head = b.op('Slice', [b.shapeOf(x), b.axes([0]), b.op('Reshape', [at, b.axes([1])])]);
    const shape = b.op('Concat', [head, b.axes([3, 6])], { axis: int(0) });
    expect(b.shape(b.op('Reshape', [x, shape]))).toEqual(['t', 'n', 3, 6]);
  });

  test('folds sizes that go through floating point', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 7]);
    const size = b.op('Shape', [x], { start: int(1), end: int(2) });
    const half = b.op('Div', [b.op('Cast', [size], { to: int(1) }), b.scalar(2)]);
    const bounded = b.op('Clip', [b.op('Ceil', [half]), b.scalar(1), b.scalar(3)]);
    expect(b.knownIntegers(b.op('Cast', [b.op('Floor', [half])], { to: int(7) }))).toEqual([3]);
    expect(b.knownIntegers(b.op('Cast', [b.op('Ceil', [half])], { to: int(7) }))).toEqual([4]);
    expect(b.knownIntegers(b.op('Cast', [b.op('Round', [half])], { to: int(7) }))).toEqual([4]);
    expect(b.knownIntegers(b.op('Cast', [bounded], { to: int(7) }))).toEqual([3]);
    expect(b.knownIntegers(b.op('Max', [size, b.axes([9])]))).toEqual([9]);
    const open = b.op('Cast', [b.op('Shape', [x], { start: int(0), end: int(1) })], { to: int(1) });
    expect(b.knownIntegers(b.op('Floor', [b.op('Div', [open, b.scalar(2)])]))).toBeUndefined();
  });

  test('repeats by a size that is open, and gives the gradient the size before', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['n', 't', 3]);
    const token = b.input('token', 'float32', [1, 1, 3]);
    const batch = b.op('Shape', [x], { start: int(0), end: int(1) });
    const tiled = b.op('Tile', [token, b.op('Concat', [batch, b.axes([1, 1])], { axis: int(0) })]);
    expect(b.shape(tiled)).toEqual(['n', 1, 3]);
    const dy = b.input('dy', 'float32', ['n', 1, 3]);
    const gradients = differentiate(b, [...b.nodes], new Map([[tiled, dy]]), new Set([token]));
    expect(b.shape(gradients.get(token)!)).toEqual([1, 1, 3]);
  });

  test('refuses types that do not fit, naming the node', () => {
    const b = new GraphBuilder();
    const [x, y] = [b.input('x', 'float32', [2, 3]), b.input('y', 'float32', [4])];
    expect(() => b.op('Add', [x, y], {}, { name: 'sum' })).toThrow(ModelError);
    expect(() => b.op('Add', [x, y], {}, { name: 'sum2' })).toThrow(
      "node 'sum2' (Add): shapes [2,3] and [4] do not broadcast",
    );
    expect(() => b.op('MatMul', [x, y], {}, { name: 'p' })).toThrow("node 'p' (MatMul): inner sizes 3 and 4 differ");
    const outside = () => b.op('Gather', [b.axes([1, 2]), b.index(2)], { axis: int(0) }, { name: 'g' });
    expect(outside).toThrow("node 'g' (Gather): index 2 lies outside an axis of size 2");
    expect(() => b.op('Exp', ['z'])).toThrow(/'z' is used before anything produces it/);
  });
});
