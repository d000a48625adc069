import { ModelError } from '../../errors.ts';
import type { Dim, Node } from '../ir.ts';
import { stringAttribute } from '../ir.ts';

/** An equation with its ellipses written out: the subscripts of each operand and of the result. */
export interface Equation {
  readonly operands: readonly string[];
  readonly result: string;
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/**
 * Reads the equation of an Einsum node.
 * @param ranks rank of each operand, for ellipses
 * @throws ModelError when the equation does not fit the operands
 */
export function einsumEquation(node: Node, ranks: readonly number[]): Equation {
  const fail = (why: string) => new ModelError(`node '${node.name}' (Einsum): ${why}`);
  const equation = stringAttribute(node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const parts = left.split(',');
  if (parts.length !== ranks.length) throw fail(`equation '${equation}' is not for ${ranks.length} operands`);
  const free = letters.filter((letter) => !equation.includes(letter));
  const widths = parts.map((part, i) => (part.includes('...') ? ranks[i]! - (part.length - 3) : 0));
  const widest = Math.max(0, ...widths);
  const operands = parts.map((part, i) => part.replace('...', free.slice(widest - widths[i]!, widest).join('')));
  for (const [i, part] of operands.entries()) {
    if (part.length !== ranks[i]) throw fail(`operand ${i} of '${equation}' has rank ${ranks[i]}`);
  }
  const shared = free.slice(0, widest).join('');
  return { operands, result: right?.replace('...', shared) ?? impliedResult(parts, shared) };
}

/** Without an arrow the result has every subscript that occurs once, in alphabetical order, behind the ellipsis. */
function impliedResult(parts: readonly string[], shared: string): string {
  const all = [...parts.join('').replaceAll('...', '')];
  return (
    shared +
    all
      .filter((letter) => all.filter((other) => other === letter).length === 1)
      .sort()
      .join('')
  );
}

/** The size of every subscript; a symbol gives way to a number. @throws ModelError when sizes disagree */
export function subscriptSizes(
  node: Node,
  { operands }: Equation,
  shapes: readonly (readonly Dim[])[],
): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  for (const [i, part] of operands.entries()) {
    for (const [axis, letter] of [...part].entries()) {
      const size = shapes[i]![axis]!;
      const before = sizes.get(letter);
      if (typeof before === 'number' && typeof size === 'number' && before !== size) {
        throw new ModelError(`node '${node.name}' (Einsum): subscript '${letter}' has sizes ${before} and ${size}`);
      }
      if (typeof before !== 'number') sizes.set(letter, size);
    }
  }
  return sizes;
}
