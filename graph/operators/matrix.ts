import { knownCount } from '../dims.ts';
import { matMul, scale } from '../expressions.ts';
import { type Attributes, type Dim, float, floatAttribute, int, intAttribute, text } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';
import { broadcastShapes, unbroadcast } from './broadcast.ts';
import { einsumEquation, subscriptSizes } from './equation.ts';
import type { GradientContext, Gradients, Multiplications, Operator } from './operator.ts';
import { type ClientsContext, type ClientsRule, raised } from './over-clients.ts';
import { type ShapeContext, type ShapeRule, same } from './shape-rule.ts';

function contract(context: ShapeContext, a: Dim | undefined, b: Dim | undefined): void {
  if (typeof a === 'number' && typeof b === 'number' && a !== b) throw context.fail(`inner sizes ${a} and ${b} differ`);
}

function transposed(shape: readonly Dim[], transpose: boolean): readonly Dim[] {
  return transpose ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
}

const matMulType: ShapeRule = (context) => {
  const left = context.input(0);
  const a = transposed(left.shape, intAttribute(context.node, 'transA', 0) === 1);
  const b = transposed(context.input(1).shape, intAttribute(context.node, 'transB', 0) === 1);
  if (a.length === 0 || b.length === 0) throw context.fail('a scalar cannot be multiplied as a matrix');
  contract(context, a.at(-1), b.length === 1 ? b[0] : b.at(-2));
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
  const rows = a.length === 1 ? [] : [a.at(-2)!];
  const columns = b.length === 1 ? [] : [b.at(-1)!];
  return same({ dtype: left.dtype, shape: [...batch, ...rows, ...columns] });
};

const gemmType: ShapeRule = (context) => {
  const a = transposed(context.input(0).shape, intAttribute(context.node, 'transA', 0) === 1);
  const b = transposed(context.input(1).shape, intAttribute(context.node, 'transB', 0) === 1);
  if (a.length !== 2 || b.length !== 2) throw context.fail('both matrices must have two dimensions');
  contract(context, a[1], b[0]);
  return same({ dtype: context.input(0).dtype, shape: [a[0]!, b[1]!] });
};

const einsumType: ShapeRule = (context) => {
  const shapes = context.node.inputs.map((_, i) => context.input(i).shape);
  const equation = einsumEquation(
    context.node,
    shapes.map((shape) => shape.length),
  );
  const sizes = subscriptSizes(context.node, equation, shapes);
  return same({ dtype: context.input(0).dtype, shape: [...equation.result].map((letter) => sizes.get(letter)!) });
};

const transposes = (a: boolean, b: boolean): Attributes => ({
  transA: { kind: 'int', value: Number(a) },
  transB: { kind: 'int', value: Number(b) },
});

/** The last axis kept, all others merged: [..., n] → [m, n]. */
function asRows(b: GraphWriter, x: string): string {
  if (b.rank(x) === 2) return x;
  const last = b.shape(x).at(-1)!;
  return b.reshape(x, [-1, typeof last === 'number' ? last : 0]);
}

/** y = A·B with numpy batching. A weight matrix under a batch gets its gradient from one GEMM over all rows. */
function matMulGradients(context: GradientContext): Gradients {
  const { b, x, dy, needs } = context;
  const [left, right] = [x(0), x(1)];
  if (b.rank(left) === 1 || b.rank(right) === 1) return vectorProductGradients(context);
  const leftGradient = () => unbroadcast(b, matMul(b, dy, right, false, true), left);
  const known = typeof b.shape(left).at(-1) === 'number' && typeof b.shape(dy).at(-1) === 'number';
  const rightGradient = () =>
    b.rank(right) === 2 && known
      ? b.op('Gemm', [asRows(b, left), asRows(b, dy)], transposes(true, false))
      : unbroadcast(b, matMul(b, left, dy, true, false), right);
  return [needs(0) ? leftGradient() : undefined, needs(1) ? rightGradient() : undefined];
}

/** A 1-D operand is a row (left) or column (right) matrix whose extra axis the product drops. */
function vectorProductGradients({ b, x, dy, needs }: GradientContext): Gradients {
  const leftVector = b.rank(x(0)) === 1;
  const rightVector = b.rank(x(1)) === 1;
  const left = leftVector ? b.op('Unsqueeze', [x(0), b.axes([0])]) : x(0);
  const right = rightVector ? b.op('Unsqueeze', [x(1), b.axes([1])]) : x(1);
  let gradient = rightVector ? b.op('Unsqueeze', [dy, b.axes([-1])]) : dy;
  if (leftVector) gradient = b.op('Unsqueeze', [gradient, b.axes([-2])]);
  const restore = (value: string, like: string) => b.op('Reshape', [value, b.shapeOf(like)]);
  return [
    needs(0) ? restore(unbroadcast(b, matMul(b, gradient, right, false, true), left), x(0)) : undefined,
    needs(1) ? restore(unbroadcast(b, matMul(b, left, gradient, true, false), right), x(1)) : undefined,
  ];
}

/** y = α·op(A)·op(B) + β·C. */
function gemmGradients({ b, x, dy, needs, node }: GradientContext): Gradients {
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const transA = intAttribute(node, 'transA', 0) === 1;
  const transB = intAttribute(node, 'transB', 0) === 1;
  const product = (left: string, right: string, transLeft: boolean, transRight: boolean) =>
    b.op('Gemm', [left, right], { ...transposes(transLeft, transRight), alpha: { kind: 'float', value: alpha } });
  const gradientA = () => (transA ? product(x(1), dy, transB, true) : product(dy, x(1), false, !transB));
  const gradientB = () => (transB ? product(dy, x(0), true, transA) : product(x(0), dy, !transA, false));
  const gradientC = () => unbroadcast(b, beta === 1 ? dy : scale(b, dy, beta), x(2));
  return [needs(0) ? gradientA() : undefined, needs(1) ? gradientB() : undefined, needs(2) ? gradientC() : undefined];
}

/**
 * The gradient of an operand is the product of dy with the other operands, by the same subscripts. A subscript that only this operand
 * has was summed: its gradient is repeated along it. Of an operand with a repeated subscript only the diagonal was read.
 */
function einsumGradients({ b, node, dy, needs }: GradientContext): Gradients {
  const ranks = node.inputs.map((input) => b.rank(input));
  const { operands, result } = einsumEquation(node, ranks);
  return operands.map((operand, i) => {
    if (!needs(i)) return undefined;
    const others = operands.filter((_, j) => j !== i);
    const available = [result, ...others].join('');
    const letters = [...new Set(operand)];
    const kept = letters.filter((letter) => available.includes(letter)).join('');
    const equation = text(`${[result, ...others].join()}->${kept}`);
    const inputs = [dy, ...node.inputs.filter((_, j) => j !== i)];
    const product = b.op('Einsum', inputs, { equation });
    const summed = letters.flatMap((letter, axis) => (available.includes(letter) ? [] : [axis]));
    const whole = summed.length === 0 ? product : b.op('Unsqueeze', [product, b.axes(summed)]);
    const diagonal = letters.length < operand.length ? onDiagonal(b, whole, operand, node.inputs[i]!) : whole;
    return summed.length === 0 ? diagonal : b.op('Expand', [diagonal, b.shapeOf(node.inputs[i]!)]);
  });
}

/** Puts values over the distinct subscripts of an operand onto its diagonals: 'bi' → 'bii', 0 elsewhere. */
function onDiagonal(b: GraphWriter, value: string, operand: string, like: string): string {
  const repeated = [...operand].flatMap((letter, axis) => (operand.indexOf(letter) < axis ? [axis] : []));
  const positions = (axis: number) => {
    const size = b.op('Squeeze', [b.op('Shape', [like], { start: int(axis), end: int(axis + 1) }), b.axes([0])]);
    const numbers = b.op('Range', [b.index(0), size, b.index(1)]);
    return b.reshape(
      numbers,
      Array.from(operand, (_, i) => (i === axis ? -1 : 1)),
    );
  };
  return repeated.reduce(
    (spread, axis) => {
      const same = b.op('Equal', [positions(operand.indexOf(operand[axis]!)), positions(axis)]);
      return b.op('Where', [same, spread, b.scalar(0)]);
    },
    b.op('Unsqueeze', [value, b.axes(repeated)]),
  );
}

const productMultiplications: Multiplications = ({ inputs, outputs, attributes }, shapeOf) => {
  const inner = shapeOf(inputs[0]!).at(intAttribute({ attributes }, 'transA', 0) === 1 ? -2 : -1) ?? 1;
  return knownCount([...shapeOf(outputs[0]!), inner]);
};

const einsumMultiplications: Multiplications = (node, shapeOf) => {
  const shapes = node.inputs.map(shapeOf);
  const equation = einsumEquation(
    node,
    shapes.map((shape) => shape.length),
  );
  return knownCount([...subscriptSizes(node, equation, shapes).values()]);
};

/** A product per client; a matrix that all share is multiplied by the rows of all at once. */
const matMulOverClients: ClientsRule = (context) => {
  const { node, rank, write } = context;
  if (Math.min(rank(0), rank(1)) < 2) return undefined;
  write(node.op, factorsOverClients(context), node.attributes, node.domain);
  return true;
};

/**
 * The two factors of a product. One of a single column is not shared: the runtime multiplies the rows of all by it in a way in which bits
 * depend on how many there are.
 */
function factorsOverClients({ b, node, differs, rank, spread }: ClientsContext): string[] {
  const [left, right] = node.inputs as [string, string];
  const widest = Math.max(rank(0), rank(1));
  const columns = b.shape(right).at(intAttribute(node, 'transB', 0) === 1 ? -2 : -1);
  const shared = !differs(1) && typeof columns === 'number' && columns > 1;
  return [
    differs(0) ? raised(b, left, rank(0), widest) : left,
    shared ? right : raised(b, differs(1) ? right : spread(right), rank(1), widest),
  ];
}

/** A Gemm knows two axes alone: it becomes a product of more, and a sum. */
const gemmOverClients: ClientsRule = (context) => {
  const { b, node, differs, rank, write } = context;
  const summand = node.inputs[2];
  if (floatAttribute(node, 'beta', 1) !== 1) return undefined;
  const transposed = transposes(intAttribute(node, 'transA', 0) === 1, intAttribute(node, 'transB', 0) === 1);
  const attributes = { ...transposed, alpha: float(floatAttribute(node, 'alpha', 1)) };
  const domain = 'com.microsoft';
  const factors = factorsOverClients(context);
  if (!summand) {
    write('FusedMatMul', factors, attributes, domain);
    return true;
  }
  const product = b.op('FusedMatMul', factors, attributes, { domain });
  write('Add', [product, differs(2) ? raised(b, summand, rank(2), 2) : summand]);
  return true;
};

export const matrixOperators: readonly Operator[] = [
  {
    op: 'MatMul',
    infer: matMulType,
    gradient: { reads: ['x0', 'x1'], write: matMulGradients },
    multiplications: productMultiplications,
    overClients: matMulOverClients,
  },
  // onnxruntime's own MatMul of operands that are read transposed.
  {
    op: 'FusedMatMul',
    infer: matMulType,
    multiplications: productMultiplications,
    overClients: matMulOverClients,
  },
  {
    op: 'Gemm',
    infer: gemmType,
    gradient: { reads: ['x0', 'x1'], write: gemmGradients },
    multiplications: productMultiplications,
    overClients: gemmOverClients,
  },
  {
    op: 'Einsum',
    infer: einsumType,
    gradient: { reads: ['x'], write: einsumGradients },
    multiplications: einsumMultiplications,
  },
];
