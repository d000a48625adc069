import { type Node, stringAttribute } from '../ir.ts';
import { geluParts, tanhGeluBounds } from '../operators/activations.ts';
import { type GraphView, numberOf, type Rewrite, replacing } from './rewrite.ts';

/**
 * Writes a Gelu as x · Φ(x), with Φ(x) as its gradient writes it, where the graph has that gradient: the error function or the tanh, the
 * most expensive part, is then computed once for both. So is the slope, in the forward pass, while x and Φ(x) are in the caches: then one tensor waits for
 * the backward pass in place of two. The runtime computes a value when it is asked for, so the Gelu asks for it, by taking its shape from the slope.
 */
export const shareGelu: Rewrite = replacing((node, view) => {
  if (node.op !== 'Gelu') return undefined;
  const { b } = view;
  const x = node.inputs[0]!;
  const approximate = stringAttribute(node, 'approximate', 'none');
  const begins = approximate === 'tanh' ? beginsTanhForm : beginsExactForm;
  if (!view.readers(x).some((reader) => begins(reader, x, view))) return undefined;
  return () => {
    const { cumulative, slope } = geluParts(b, x, approximate);
    const value = b.op('Mul', [x, cumulative]);
    b.op('Reshape', [value, b.op('Shape', [slope])], {}, { outputNames: node.outputs, name: node.name });
  };
});

/** Whether a node is where the gradient of an exact Gelu of x begins. */
function beginsExactForm({ op, inputs, outputs }: Node, x: string, { b, readers }: GraphView): boolean {
  const scales = op === 'Mul' && inputs[0] === x && numberOf(b, inputs[1]!) === Math.fround(Math.SQRT1_2);
  return scales && readers(outputs[0]!).some((reader) => reader.op === 'Erf');
}

function beginsTanhForm({ op, inputs, outputs }: Node, _: string, { b, readers }: GraphView): boolean {
  const clips = op === 'Clip' && tanhGeluBounds.every((bound, i) => numberOf(b, inputs[i + 1] ?? '') === bound);
  return clips && readers(outputs[0]!).some((reader) => reader.op === 'Mul' && reader.inputs[0] === reader.inputs[1]);
}
