import { int, intAttribute, ints } from '../ir.ts';
import { type Rewrite, replacing } from './rewrite.ts';

/** A smaller matrix is not worth a node of its own. */
const fewestColumns = 32;

/**
 * AᵀB over many rows, as weights' gradients are: the runtime turns A around in pieces, once for every part of B. Where A is the narrower, it is
 * faster by a tenth to turn it around as a whole before.
 */
export const transposeNarrowFactors: Rewrite = replacing((node, { b }) => {
  if (node.op !== 'Gemm' || intAttribute(node, 'transA', 0) === 0 || intAttribute(node, 'transB', 0) === 1) {
    return undefined;
  }
  const [a, right, ...summand] = node.inputs as [string, string, ...string[]];
  const [[rows, columns], width] = [b.shape(a), b.shape(right)[1]];
  // A mini-batch of plain examples has too few rows.
  if (rows === 'batch' || typeof columns !== 'number' || typeof width !== 'number') return undefined;
  if (columns < fewestColumns || columns > width) return undefined;
  return () => {
    const turned = b.op('Transpose', [a], { perm: ints([1, 0]) });
    const options = { name: node.name, outputNames: node.outputs };
    b.op('Gemm', [turned, right, ...summand], { ...node.attributes, transA: int(0) }, options);
  };
});
