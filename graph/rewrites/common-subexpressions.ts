import type { GraphBuilder } from '../builder.ts';
import type { Node } from '../ir.ts';
import { renamed } from './rename.ts';

/**
 * Lets every reader of a node that is written twice read the first one; a body also finds what the graphs around it have computed.
 * The node that gives an output its name stays. This is how gradient rules share what they each ask for: the patches of an image,
 * the tanh of an activation, a shape.
 */
export function shareCommonSubexpressions(b: GraphBuilder, outputs: readonly string[]): void {
  const kept = new Set(outputs);
  const written = new Map<string, readonly string[]>();
  for (let outer = b.parent; outer; outer = outer.parent) for (const node of outer.nodes) remember(written, node);
  const first = new Map<string, string>();
  for (const original of b.nodes.splice(0)) {
    const node = renamed(original, first);
    const same = isPure(node.op) ? written.get(keyOf(node)) : undefined;
    if (same && !node.outputs.some((output) => kept.has(output))) {
      for (const [i, output] of node.outputs.entries()) first.set(output, same[i]!);
      continue;
    }
    remember(written, node);
    b.nodes.push(node);
  }
}

function remember(written: Map<string, readonly string[]>, node: Node): void {
  if (!isPure(node.op)) return;
  const key = keyOf(node);
  if (!written.has(key)) written.set(key, node.outputs);
}

/** Whether an operator gives the same for the same inputs, and has no body. */
export function isPure(op: string): boolean {
  return !op.startsWith('Random') && !['Bernoulli', 'Multinomial', 'Dropout', 'Loop', 'Scan', 'If'].includes(op);
}

function keyOf({ op, domain, inputs, outputs, attributes }: Node): string {
  const asked = outputs.map((output) => (output === '' ? 0 : 1));
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([op, domain, inputs, asked, sorted], exactly);
}

/** Spells what JSON cannot: int64 elements, infinities and NaN, −0. */
function exactly(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return Object.is(value, -0) ? '-0' : String(value);
}
