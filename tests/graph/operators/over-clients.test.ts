import { describe, expect, test } from '@jest/globals';
import type { GraphBuilder } from '../../../graph/builder.ts';
import { type Attributes, float, float32Tensor, int, int64Tensor, ints, type Tensor, text } from '../../../graph/ir.ts';
import { operatorOf, operators } from '../../../graph/operators/registry.ts';
import type { CaseInput, GradientCase } from '../../support/gradient-case.ts';
import { type ClientInput, errorOverClients } from '../../support/over-clients.ts';
import { gradientCases } from './cases/all.ts';

/** Sums in another order. */
const tolerance = 1e-6;

const withRule = gradientCases.filter(({ op }) => operatorOf(op)?.overClients !== undefined);

describe('operators written for several clients give what each client alone gets, and the same bits in any company', () => {
  const covered = new Set<string>();

  test.each(withRule.map((each) => ({ ...each, name: `${each.op}: ${each.title}` })))('$name', async (each) => {
    const variables = each.inputs.flatMap((input, i) => (isVariable(input) ? [i] : []));
    for (const own of [...variables.map((i) => [i]), variables]) {
      const found = await errorOfCase(each, own);
      if (found === undefined) continue;
      covered.add(each.op);
      const { error, changedBits } = found;
      expect({ own, error, within: error <= tolerance, changedBits }).toEqual({
        own,
        error,
        within: true,
        changedBits: 0,
      });
    }
  });

  test('all of them', () => {
    expect([...covered].sort()).toEqual([...new Set(withRule.map(({ op }) => op))].sort());
  });
});

function isVariable(input: CaseInput): boolean {
  return input !== undefined && 'kind' in input && input.kind === 'variable';
}

function errorOfCase(
  { op, inputs, attributes, outputs = 1 }: GradientCase,
  own: readonly number[],
): ReturnType<typeof errorOverClients> {
  const given = inputs.flatMap((input, i): ClientInput[] => {
    if (input === undefined || !('kind' in input)) return [];
    const { dims, values } = input;
    const tensor =
      input.kind === 'variable'
        ? float32Tensor(dims, values)
        : input.dtype === 'int64'
          ? int64Tensor(dims, values)
          : { dtype: 'bool' as const, dims, data: Uint8Array.from(values) };
    return [{ name: `input_${i}`, own: own.includes(i), ...tensor }];
  });
  return errorOverClients(given, (b) => {
    const names = inputs.map((input, i) => {
      if (input === undefined) return '';
      return 'kind' in input ? `input_${i}` : b.constant(input);
    });
    while (names.at(-1) === '') names.pop();
    return b.node(op, names, attributes, { outputNames: Array.from({ length: outputs }, (_, i) => `output_${i}`) });
  });
}

const x = (dims: readonly number[], values: readonly number[]): ClientInput => ({
  name: 'x',
  own: true,
  ...float32Tensor(dims, values),
});
const shared = (tensor: Tensor): ClientInput => ({ name: 'shared', own: false, ...tensor });
/** Numbers whose sums round. */
const uneven = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(3 * i + 1));
const counting = (count: number) => Array.from({ length: count }, (_, i) => 1 + i / 2);

interface Written {
  readonly title: string;
  readonly ops: readonly string[];
  readonly inputs: readonly ClientInput[];
  readonly write: (b: GraphBuilder) => string;
}

/** Operators without a gradient, and what the compiler alone writes. */
const written: readonly Written[] = [
  ...['Sign', 'Floor', 'Ceil', 'Round'].map((op) => ({
    title: 'elementwise',
    ops: [op],
    inputs: [x([2, 2], [-1.6, 0, 0.5, 2.7])],
    write: (b: GraphBuilder) => b.op(op, ['x']),
  })),
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((op) => ({
    title: 'with a column that is shared',
    ops: [op],
    inputs: [x([3], [1, 2, 3]), shared(float32Tensor([2, 1], [2, 3]))],
    write: (b: GraphBuilder) => b.op('Cast', [b.op(op, ['x', 'shared'])], { to: int(1) }),
  })),
  ...['And', 'Or', 'Xor'].map((op) => ({
    title: 'of two tests',
    ops: [op, 'Not'],
    inputs: [x([4], [-2, -1, 1, 2])],
    write: (b: GraphBuilder) => {
      const tests = [b.op('Greater', ['x', b.scalar(0)]), b.op('Not', [b.op('Less', ['x', b.scalar(1.5)])])];
      return b.op('Cast', [b.op(op, tests)], { to: int(1) });
    },
  })),
  ...['IsNaN', 'IsInf'].map((op) => ({
    title: 'a test',
    ops: [op],
    inputs: [x([4], [-2, Number.NaN, Number.POSITIVE_INFINITY, 2])],
    write: (b: GraphBuilder) => b.op('Cast', [b.op(op, ['x'])], { to: int(1) }),
  })),
  ...(['BitShift', 'BitwiseXor'] as const).map((op) => ({
    title: 'of unsigned integers',
    ops: [op],
    inputs: [x([4], [1, 2, 3, 9])],
    write: (b: GraphBuilder) => {
      const bits = b.op('Cast', ['x'], { to: int(12) });
      const amount = b.constant({ dtype: 'uint32', dims: [1], data: Uint32Array.of(3) });
      const attributes: Attributes = op === 'BitShift' ? { direction: text('LEFT') } : {};
      return b.op('Cast', [b.op(op, [bits, amount], attributes)], { to: int(1) });
    },
  })),
  {
    title: 'the shape, which all have in common, as a target',
    ops: ['Shape', 'Reshape', 'Expand'],
    inputs: [{ ...x([2, 3], counting(6)), shape: ['n', 3] }, shared(float32Tensor([1, 3], [1, 2, 3]))],
    write: (b) => b.op('Mul', ['x', b.op('Expand', ['shared', b.op('Shape', ['x'])])]),
  },
  {
    title: 'a part of the shape',
    ops: ['Shape'],
    inputs: [{ ...x([2, 3], counting(6)), shape: ['n', 'm'] }],
    write: (b) => {
      const part = (start: number, end: number) => b.op('Shape', ['x'], { start: int(start), end: int(end) });
      return b.op('Reshape', ['x', b.op('Concat', [part(1, 2), part(0, -1)], { axis: int(0) })]);
    },
  },
  {
    title: 'from before the first axis to behind the last',
    ops: ['Shape'],
    inputs: [{ ...x([2, 3], counting(6)), shape: ['n', 'm'] }],
    write: (b) => {
      const all = b.op('Shape', ['x'], { start: int(-9), end: int(9) });
      return b.op('Reshape', [b.op('Reshape', ['x', b.axes([-1])]), all]);
    },
  },
  {
    title: 'to a shape that is found when the graph runs',
    ops: ['Shape', 'Reshape'],
    inputs: [x([2, 3], counting(6)), { ...shared(float32Tensor([3, 2], counting(6))), shape: ['n', 2] }],
    write: (b) => b.op('Reshape', ['x', b.op('Shape', ['shared'])]),
  },
  {
    title: 'of one client, not of all',
    ops: ['Size'],
    inputs: [{ ...x([2, 3], counting(6)), shape: ['n', 3] }],
    write: (b) => b.op('Mul', ['x', b.op('Cast', [b.op('Size', ['x'])], { to: int(1) })]),
  },
  {
    title: 'one-hot in front and behind',
    ops: ['OneHot'],
    inputs: [x([3], [0, 2, 1])],
    write: (b) => {
      const labels = b.op('Cast', ['x'], { to: int(7) });
      const hot = (axis: number) =>
        b.op('OneHot', [labels, b.index(3), b.constant(float32Tensor([2], [0, 1]))], { axis: int(axis) });
      return b.op('Sub', [hot(0), b.op('Mul', [hot(-1), b.scalar(2)])]);
    },
  },
  {
    title: 'rows of shared data by indices of their own',
    ops: ['Gather'],
    inputs: [x([3], [3, 0, 1]), shared(float32Tensor([4, 2], counting(8)))],
    write: (b) => b.op('Gather', ['shared', b.op('Cast', ['x'], { to: int(7) })], { axis: int(0) }),
  },
  {
    title: 'a column that is shared',
    ops: ['MatMul'],
    inputs: [x([5, 7], uneven(35)), shared(float32Tensor([7, 1], uneven(7)))],
    write: (b) => b.op('MatMul', ['x', 'shared']),
  },
  {
    title: 'a column that is shared, under more axes',
    ops: ['MatMul'],
    inputs: [x([3, 5, 7], uneven(105)), shared(float32Tensor([7, 1], uneven(7)))],
    write: (b) => b.op('MatMul', ['x', 'shared']),
  },
  {
    title: 'a column that is shared, and a bias',
    ops: ['Gemm'],
    inputs: [x([5, 7], uneven(35)), shared(float32Tensor([7, 1], uneven(7)))],
    write: (b) => b.op('Gemm', ['x', 'shared', b.constant(float32Tensor([1], [0.3]))]),
  },
  {
    title: 'transposed operands and a factor',
    ops: ['FusedMatMul'],
    inputs: [x([4, 2], counting(8)), shared(float32Tensor([3, 4], counting(12)))],
    write: (b) =>
      b.op(
        'FusedMatMul',
        ['x', 'shared'],
        { transA: int(1), transB: int(1), alpha: float(-0.5) },
        { domain: 'com.microsoft' },
      ),
  },
  {
    title: 'with an own summand, a shared one and a factor',
    ops: ['Gemm'],
    inputs: [x([3, 3], counting(9)), shared(float32Tensor([3], [1, 2, 3]))],
    write: (b) => {
      const row = b.op('ReduceSum', ['x', b.axes([0])], { keepdims: int(0) });
      const first = b.op('Gemm', ['x', 'x', row], { transB: int(1), alpha: float(2) });
      return b.op('Gemm', [first, 'x', 'shared'], { transA: int(1) });
    },
  },
  {
    title: 'moved about',
    ops: ['Transpose', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Cast'],
    inputs: [x([2, 1, 3], counting(6))],
    write: (b) => {
      const turned = b.op('Transpose', ['x'], { perm: ints([2, 0, 1]) });
      const flat = b.op('Flatten', [turned], { axis: int(1) });
      const raised = b.op('Unsqueeze', [b.op('Identity', [flat]), b.axes([0, -1])]);
      return b.op('Squeeze', [raised, b.axes([0])]);
    },
  },
];

describe('what has no gradient is written for several clients', () => {
  test.each(written.map((each) => ({ ...each, name: `${each.ops[0]}: ${each.title}` })))(
    '$name',
    async ({ inputs, write }) => {
      const found = await errorOverClients(inputs, (b) => [write(b)]);
      expect(found!.error).toBeLessThanOrEqual(tolerance);
      expect(found!.changedBits).toBe(0);
    },
  );

  test('every operator with a rule is here or among the gradients', () => {
    const seen = new Set([...withRule.map(({ op }) => op), ...written.flatMap(({ ops }) => ops)]);
    const rules = operators.filter(({ overClients, infer }) => overClients && infer).map(({ op }) => op);
    expect(rules.filter((op) => !seen.has(op))).toEqual([]);
  });
});

describe('what cannot be written for several clients is not', () => {
  test.each<[string, (b: GraphBuilder) => string]>([
    ['an operator without a rule', (b) => b.op('Tile', ['x', b.axes([2, 1])])],
    [
      'indices of their own along another axis than the first',
      (b) => b.op('Gather', ['shared', b.op('Cast', ['x'], { to: int(7) })], { axis: int(1) }),
    ],
    ['a product with a vector', (b) => b.op('MatMul', ['x', b.constant(float32Tensor([3], [1, 2, 3]))])],
    ['bounds of their own', (b) => b.op('Clip', ['x', b.op('ReduceMin', ['x'], { keepdims: int(0) })])],
    ['an output that does not differ', (b) => b.op('Neg', ['shared'])],
    ['a summand with a factor', (b) => b.op('Gemm', ['x', b.op('Transpose', ['x']), b.scalar(1)], { beta: float(2) })],
  ])('%s', async (_, write) => {
    const inputs = [x([2, 3], counting(6)), shared(float32Tensor([2, 3], counting(6)))];
    expect(await errorOverClients(inputs, (b) => [write(b)])).toBeUndefined();
  });
});
