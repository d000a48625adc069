import type { GraphBuilder } from '../builder.ts';
import { type Attributes, float, floatAttribute, int, intAttribute, intsAttribute, type Node } from '../ir.ts';
import { type GraphView, type Match, numberOf, type Rewrite, replacing } from './rewrite.ts';

/** α · op(A) · op(B), where op may exchange the last two axes. */
interface Product {
  readonly operands: readonly [string, string];
  readonly transposed: readonly [boolean, boolean];
  readonly alpha: number;
}

function productOf(node: Node | undefined, b: GraphBuilder): Product | undefined {
  const fused = node?.op === 'FusedMatMul';
  if (!node || (!fused && node.op !== 'MatMul')) return undefined;
  if (intAttribute(node, 'transBatchA', 0) === 1 || intAttribute(node, 'transBatchB', 0) === 1) return undefined;
  const operands = node.inputs as [string, string];
  if (operands.some((operand) => b.rank(operand) < 2)) return undefined;
  const transposed = [intAttribute(node, 'transA', 0) === 1, intAttribute(node, 'transB', 0) === 1] as const;
  return { operands, transposed, alpha: floatAttribute(node, 'alpha', 1) };
}

function writeProduct(b: GraphBuilder, { operands, transposed, alpha }: Product, node: Node): void {
  const attributes: Attributes = {
    transA: int(Number(transposed[0])),
    transB: int(Number(transposed[1])),
    alpha: float(alpha),
  };
  b.op('FusedMatMul', operands, attributes, { domain: 'com.microsoft', outputNames: node.outputs, name: node.name });
}

/** The value whose last two axes a node exchanges. */
function exchanged(node: Node | undefined): string | undefined {
  const perm = node?.op === 'Transpose' ? intsAttribute(node, 'perm') : undefined;
  if (!node || !perm || perm.length < 2) return undefined;
  const last = perm.length - 1;
  return perm.every((axis, i) => axis === (i < last - 1 ? i : i === last ? last - 1 : last))
    ? node.inputs[0]
    : undefined;
}

/** The value that a node multiplies by a constant scalar, and the scalar. */
function scaled(node: Node | undefined, b: GraphBuilder): readonly [string, number] | undefined {
  if (node?.op !== 'Mul') return undefined;
  for (const [value, factor] of [
    [node.inputs[0]!, node.inputs[1]!],
    [node.inputs[1]!, node.inputs[0]!],
  ] as const) {
    const number = b.rank(factor) === 0 ? numberOf(b, factor) : undefined;
    if (number !== undefined) return [value, number];
  }
  return undefined;
}

/** A product that is only transposed or scaled afterwards gives that result itself. */
const foldResult: Match = (node, view) => {
  const { b, producer } = view;
  const [value, factor] = scaled(node, b) ?? [exchanged(node), undefined];
  const product = value === undefined ? undefined : productOf(producer(value), b);
  if (!product || view.readers(value!).length > 1 || view.isOutput(value!)) return undefined;
  if (factor !== undefined) return () => writeProduct(b, { ...product, alpha: product.alpha * factor }, node);
  const [x, y] = product.operands;
  const [tx, ty] = product.transposed;
  return () => writeProduct(b, { ...product, operands: [y, x], transposed: [!ty, !tx] }, node);
};

/** A product takes its operands as they were before they were transposed or scaled for products alone. */
const foldOperands: Match = (node, view) => {
  const { b } = view;
  let product = productOf(node, b);
  if (!product) return undefined;
  const before = product;
  for (const side of [0, 1] as const) product = foldOperand(product, side, view);
  return product === before ? undefined : () => writeProduct(b, product!, node);
};

function foldOperand(product: Product, side: 0 | 1, view: GraphView): Product {
  const { b, producer } = view;
  const operand = product.operands[side];
  const replaced = <T>(pair: readonly [T, T], value: T): readonly [T, T] =>
    side === 0 ? [value, pair[1]] : [pair[0], value];
  const source = exchanged(producer(operand));
  if (source !== undefined) {
    const transposed = replaced(product.transposed, !product.transposed[side]);
    return foldOperand({ ...product, operands: replaced(product.operands, source), transposed }, side, view);
  }
  const found = scaled(producer(operand), b);
  // A scaled value that others read has to be written anyway.
  const onlyProducts = view.readers(operand).every((reader) => productOf(reader, b) !== undefined);
  if (!found || !onlyProducts || view.isOutput(operand) || b.rank(found[0]) !== b.rank(operand)) return product;
  const alpha = product.alpha * found[1];
  return foldOperand({ ...product, operands: replaced(product.operands, found[0]), alpha }, side, view);
}

const results = replacing(foldResult);
const operands = replacing(foldOperands);

/** Lets matrix products transpose and scale by themselves, which costs the runtime nothing, where nodes before or behind them did so. */
export const foldIntoProducts: Rewrite = (b, outputs) => {
  results(b, outputs);
  operands(b, outputs);
};
