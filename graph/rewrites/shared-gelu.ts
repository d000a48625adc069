import { float32Tensor, stringAttribute } from '../ir.ts';
import { exactGelu } from '../operators/activations.ts';
import { type Rewrite, replacing } from './rewrite.ts';

/**
 * Writes an exact Gelu as x · Φ(x), with Φ(x) as its gradient writes it, where the graph has that gradient: the error function, the
 * most expensive part, is then computed once for both. So is the slope, in the forward pass, while x and Φ(x) are in the caches: then one tensor waits for
 * the backward pass in place of two. The runtime computes a value when it is asked for, so the Gelu asks for it, by taking its shape from the slope.
 */
export const shareGelu: Rewrite = replacing((node, view) => {
  const { b } = view;
  if (node.op !== 'Gelu' || stringAttribute(node, 'approximate', 'none') !== 'none') return undefined;
  const x = node.inputs[0]!;
  const root = b.constant(float32Tensor([], [Math.SQRT1_2]));
  const shared = view
    .readers(x)
    .some(
      (reader) =>
        reader.op === 'Mul' &&
        reader.inputs[0] === x &&
        reader.inputs[1] === root &&
        view.readers(reader.outputs[0]!).some(({ op }) => op === 'Erf'),
    );
  if (!shared) return undefined;
  return () => {
    const { cumulative, slope } = exactGelu(b, x);
    const value = b.op('Mul', [x, cumulative]);
    b.op('Reshape', [value, b.op('Shape', [slope])], {}, { outputNames: node.outputs, name: node.name });
  };
});
