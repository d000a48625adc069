import type { GraphBuilder } from './builder.ts';
import { int, type Node } from './ir.ts';
import type { MiniBatch } from './mini-batch.ts';
import { replacing, viewOf } from './rewrites/rewrite.ts';

const arithmetic = new Set(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min']);

/**
 * Scalars that follow from a step's number and from settings (the size of its mini-batch, the learning rate over it) are computed for all
 * steps at once, before the loop; the step then looks its own up. A small model's step is little more than its number of nodes.
 */
export function hoistStepScalars(outer: GraphBuilder, b: GraphBuilder, step: string, batch: MiniBatch): void {
  const view = viewOf(b, []);
  /** Scalars inside the loop → their values over all steps, [steps], as far as they have been written. */
  const written = new Map<string, string>();
  const isSetting = (value: string) => outer.has(value) && b.rank(value) === 0;
  const isStepScalar = (value: string): boolean => {
    const node = view.producer(value);
    if (!node) return false;
    if (isBatchSize(node, b)) return true;
    if (node.op === 'Cast') return isStepScalar(node.inputs[0]!);
    if (!arithmetic.has(node.op) || !node.inputs.some(isStepScalar)) return false;
    return node.inputs.every((input) => isSetting(input) || isStepScalar(input));
  };
  const over = (value: string): string => {
    if (isSetting(value)) return value;
    const known = written.get(value);
    if (known !== undefined) return known;
    const node = view.producer(value)!;
    const all = isBatchSize(node, b) ? batch.sizes : outer.op(node.op, node.inputs.map(over), node.attributes);
    written.set(value, all);
    return all;
  };
  replacing((node) => {
    const value = node.outputs[0]!;
    if (!isStepScalar(value)) return undefined;
    if (view.readers(value).every((reader) => isStepScalar(reader.outputs[0]!))) return () => {};
    return () =>
      b.op('Gather', [outer.within('steps', () => over(value)), step], { axis: int(0) }, { outputNames: [value] });
  })(b, []);
}

function isBatchSize({ op, inputs }: Node, b: GraphBuilder): boolean {
  return op === 'Size' && b.shape(inputs[0]!).join() === 'batch';
}
