import type { GraphBuilder } from '../builder.ts';
import type { Node } from '../ir.ts';
import { type GraphView, type Rewrite, replacing } from './rewrite.ts';

/**
 * A Gelu as exporters spell it up to operator set 19, x · (1 + erf(x / √2)) · ½ with its factors in any order, as the one operator that it is: its
 * gradient then takes half as many passes over the activations.
 */
export const recogniseGelu: Rewrite = replacing((node, view) => {
  const { b } = view;
  const factors = factorsOf(node, view);
  const half = factors.findIndex((factor) => isNumber(b, factor, 0.5));
  if (factors.length !== 3 || half < 0) return undefined;
  const [first, second] = factors.filter((_, i) => i !== half) as [string, string];
  const x = isCumulative(second, first, view) ? first : isCumulative(first, second, view) ? second : undefined;
  return x === undefined ? undefined : () => b.op('Gelu', [x], {}, { outputNames: node.outputs, name: node.name });
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

/** Whether a value is 1 + erf(x / √2). */
function isCumulative(value: string, x: string, { b, producer }: GraphView): boolean {
  const sum = producer(value);
  const error = sum?.op === 'Add' ? otherThan(1, sum, b) : undefined;
  const erf = error === undefined ? undefined : producer(error);
  return erf?.op === 'Erf' && isScaled(producer(erf.inputs[0]!), x, b);
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
  const tensor = b.constantTensor(value);
  if (tensor?.dtype !== 'float32' || tensor.data.length !== 1) return false;
  return Math.abs(Number(tensor.data[0]) - number) <= 2e-7 * number;
}
