import type { Node } from '../ir.ts';
import { type GraphView, type Rewrite, replacing } from './rewrite.ts';

/** A tensor that a node multiplies or divides by a scalar. */
interface Scaled {
  readonly tensor: string;
  readonly scalar: string;
  readonly divides: boolean;
}

function scaled(node: Node | undefined, { b }: GraphView): Scaled | undefined {
  if (node?.op !== 'Mul' && node?.op !== 'Div') return undefined;
  const [x, y] = node.inputs as [string, string];
  const divides = node.op === 'Div';
  if (b.rank(x) > 0 && b.rank(y) === 0) return { tensor: x, scalar: y, divides };
  return !divides && b.rank(x) === 0 && b.rank(y) > 0 ? { tensor: y, scalar: x, divides } : undefined;
}

/** x / s · t, for scalars s and t, passes over x twice; x · (t / s) passes once. */
export const joinScalarFactors: Rewrite = replacing((node, view) => {
  const { b } = view;
  const outer = scaled(node, view);
  const inner = outer && scaled(view.producer(outer.tensor), view);
  if (!outer || !inner || view.readers(outer.tensor).length > 1 || view.isOutput(outer.tensor)) return undefined;
  if (!b.type(inner.tensor).dtype.startsWith('float')) return undefined;
  const write = (op: 'Mul' | 'Div', scalar: string) => {
    b.op(op, [inner.tensor, scalar], {}, { outputNames: node.outputs, name: node.name });
  };
  return () => {
    if (inner.divides === outer.divides)
      write(inner.divides ? 'Div' : 'Mul', b.op('Mul', [inner.scalar, outer.scalar]));
    else if (inner.divides) write('Mul', b.op('Div', [outer.scalar, inner.scalar]));
    else write('Mul', b.op('Div', [inner.scalar, outer.scalar]));
  };
});
