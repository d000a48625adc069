import type { GraphBuilder } from './builder.ts';
import { int, type Node } from './ir.ts';
import type { MiniBatch } from './mini-batch.ts';
import { replacing, viewOf } from './rewrites/rewrite.ts';

const arithmetic = new Set(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min']);

/**
 * Scalars that follow from a step's number and from settings (the size of its mini-batch, the learning rate over it) are computed for all
 * steps at once, before the loop; the step then looks its own up. A small model's step is little more than its number of nodes.
 * @param outputs what the body gives
 */
export function hoistStepScalars(
  outer: GraphBuilder,
  b: GraphBuilder,
  step: string,
  { sizes }: MiniBatch,
  outputs: readonly string[],
): void {
  const view = viewOf(b, outputs);
  const found = stepScalars(outer, b);
  /** Scalars inside the loop → their values over all steps, [steps], as far as they have been written. */
  const written = new Map<string, string>();
  const over = (value: string): string => {
    if (!found.has(value)) return value;
    const known = written.get(value);
    if (known !== undefined) return known;
    const node = view.producer(value)!;
    const all = isBatchSize(node, b) ? sizes : outer.op(node.op, node.inputs.map(over), node.attributes);
    written.set(value, all);
    return all;
  };
  replacing((node) => {
    const value = node.outputs[0]!;
    if (!found.has(value)) return undefined;
    const serves = view.readers(value).every((reader) => found.has(reader.outputs[0]!));
    if (serves && !view.isOutput(value)) return () => {};
    return () =>
      b.op('Gather', [outer.within('steps', () => over(value)), step], { axis: int(0) }, { outputNames: [value] });
  })(b, outputs);
}

function stepScalars(outer: GraphBuilder, b: GraphBuilder): ReadonlySet<string> {
  const found = new Set<string>();
  const isSetting = (value: string) => outer.has(value) && b.rank(value) === 0;
  for (const node of b.nodes) {
    const follows =
      (node.op === 'Cast' || arithmetic.has(node.op)) &&
      node.inputs.some((input) => found.has(input)) &&
      node.inputs.every((input) => found.has(input) || isSetting(input));
    if (follows || isBatchSize(node, b)) found.add(node.outputs[0]!);
  }
  return found;
}

function isBatchSize({ op, inputs }: Node, b: GraphBuilder): boolean {
  return op === 'Size' && b.shape(inputs[0]!).join() === 'batch';
}
