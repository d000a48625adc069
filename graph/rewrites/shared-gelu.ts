import { float, float32Tensor, stringAttribute } from '../ir.ts';
import { type Rewrite, replacing } from './rewrite.ts';

/**
 * Writes an exact Gelu as x · Φ(x), with Φ(x) as its gradient writes it, where the graph has that gradient: the error function, the
 * most expensive part, is then computed once for both.
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
    const error = b.op('Erf', [b.op('Mul', [x, root])]);
    const cumulative = b.op('HardSigmoid', [error], { alpha: float(0.5), beta: float(0.5) });
    b.op('Mul', [x, cumulative], {}, { outputNames: node.outputs, name: node.name });
  };
});
