import { type GraphBuilder, namesRead } from '../builder.ts';
import type { Node } from '../ir.ts';

/** Removes the nodes that no output needs. */
export function removeDeadCode(b: GraphBuilder, outputs: readonly string[]): void {
  const needed = new Set(outputs);
  const live: Node[] = [];
  for (const node of b.nodes.splice(0).reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    live.push(node);
    for (const name of namesRead(node)) needed.add(name);
  }
  b.nodes.push(...live.reverse());
}
