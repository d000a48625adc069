import type { GraphBuilder } from '../builder.ts';
import { type Node, text } from '../ir.ts';
import { type GraphView, numberOf, type Rewrite, replacing } from './rewrite.ts';

/**
 * A Gelu as exporters spell it up to operator set 19, x · (1 + erf(x / √2)) · ½ with its factors in any order, or with a tanh in place of the error
 * function, as the one operator that it is: its gradient then takes fewer passes over the activations.
 */
export const recogniseGelu: Rewrite = replacing((node, view) => {
  const { b } = view;
  const factors = factorsOf(node, view);
  const half = factors.findIndex((factor) => isNumber(b, factor, 0.5));
  if (factors.length !== 3 || half < 0) return undefined;
  const [first, second] = factors.filter((_, i) => i !== half) as [string, string];
  for (const [x, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const approximate = formOf(other, x, view);
    // A scalar times a vector of one number is a vector.
    if (approximate === undefined || b.rank(x) === 0) continue;
    const attributes = { approximate: text(approximate) };
    return () => b.op('Gelu', [x], attributes, { outputNames: node.outputs, name: node.name });
  }
  return undefined;
});

/** The factors of nested products, as long as nothing else reads the inner ones. */
function factorsOf(node: Node | undefined, view: GraphView): string[] {
  if (node?.op !== 'Mul') return [];
  return node.inputs.flatMap((input) => {
    const inner = view.producer(input);
    const isOwn = inner?.op === 'Mul' && view.readers(input).length === 1 && !view.isOutput(input);
    return isOwn ? factorsOf(inner, view) : [input];
  });
}

/** Whether a value is 1 + erf(x / √2), the exact form (`none`), or 1 + tanh(√(2/π)·(x + 0.044715·x³)). */
function formOf(value: string, x: string, { b, producer }: GraphView): 'none' | 'tanh' | undefined {
  const sum = producer(value);
  const curve = producer((sum?.op === 'Add' && otherThan(1, sum, b)) || '');
  const argument = producer(curve?.inputs[0] ?? '');
  if (curve?.op === 'Erf') return isScaled(argument, x, b) ? 'none' : undefined;
  if (curve?.op !== 'Tanh' || argument?.op !== 'Mul') return undefined;
  const bent = producer(otherThan(Math.sqrt(2 / Math.PI), argument, b) ?? '');
  if (bent?.op !== 'Add' || !bent.inputs.includes(x)) return undefined;
  const cubic = producer(bent.inputs.find((input) => input !== x) ?? '');
  const cube = producer((cubic?.op === 'Mul' && otherThan(0.044715, cubic, b)) || '');
  return isCube(cube, x, { b, producer }) ? 'tanh' : undefined;
}

/** Whether a node is x³. */
function isCube(node: Node | undefined, x: string, { b, producer }: Pick<GraphView, 'b' | 'producer'>): boolean {
  if (node?.op === 'Pow') return node.inputs[0] === x && isNumber(b, node.inputs[1]!, 3);
  if (node?.op !== 'Mul' || !node.inputs.includes(x)) return false;
  const square = producer(node.inputs.find((input) => input !== x) ?? '');
  return square?.op === 'Mul' && square.inputs.every((input) => input === x);
}

/** Whether a node is x / √2, or x · √½. */
function isScaled(node: Node | undefined, x: string, b: GraphBuilder): boolean {
  if (node?.op === 'Div') return node.inputs[0] === x && isNumber(b, node.inputs[1]!, Math.SQRT2);
  return node?.op === 'Mul' && otherThan(Math.SQRT1_2, node, b) === x;
}

/** The operand beside a number. */
function otherThan(number: number, { inputs }: Node, b: GraphBuilder): string | undefined {
  const at = inputs.findIndex((input) => isNumber(b, input, number));
  return at < 0 ? undefined : inputs[1 - at];
}

/** Whether a value is this number, as far as float32 holds it. */
function isNumber(b: GraphBuilder, value: string, number: number): boolean {
  const held = numberOf(b, value);
  return held !== undefined && Math.abs(held - number) <= 2e-7 * number;
}
