import type { GraphBuilder } from './builder.ts';
import { isPure } from './rewrites/common-subexpressions.ts';

/** Moves in front of the loop what every step would compute again from values that do not change: a kernel that is not trained, turned around. @param outputs what the body gives */
export function hoistInvariants(outer: GraphBuilder, b: GraphBuilder, outputs: readonly string[]): void {
  const inner = new Set(b.inputs.map(({ name }) => name));
  const given = new Set(outputs);
  for (const node of b.nodes.splice(0)) {
    const stays = node.outputs.some((output) => given.has(output)) || node.inputs.some((name) => inner.has(name));
    if (isPure(node.op) && !stays) {
      outer.nodes.push(node);
      for (const output of node.outputs) if (output !== '') outer.declare(output, b.type(output));
      continue;
    }
    for (const output of node.outputs) inner.add(output);
    b.nodes.push(node);
  }
}
