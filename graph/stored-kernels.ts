import type { GraphBuilder } from './builder.ts';
import { int, ints, intsAttribute, type Node } from './ir.ts';
import { type CarriedLayer, type LayerStep, updateOf } from './loop-state.ts';
import { type GraphView, replacing, viewOf } from './rewrites/rewrite.ts';

/**
 * The gradient of a convolution's kernel comes as one matrix per kernel position, and to bring it to the kernel's own order,
 * position last, costs more than the step. So the loop carries such a weight position first, as the gradient comes; what reads it
 * gets it back in its own order, or, where that is undone at once, not.
 */
export function storeKernels(
  outer: GraphBuilder,
  b: GraphBuilder,
  steps: readonly LayerStep[],
): Map<string, CarriedLayer> {
  const stored = new Map<string, CarriedLayer>();
  let view = viewOf(b, []);
  for (const step of steps) {
    const layer = b.within(step.layer, () => store(outer, b, step, view));
    if (!layer) continue;
    stored.set(step.layer, layer);
    view = viewOf(b, []);
  }
  return stored;
}

function store(outer: GraphBuilder, b: GraphBuilder, step: LayerStep, view: GraphView): CarriedLayer | undefined {
  const { layer, weight, initial } = step;
  const update = updateOf(step, view);
  const { gradient, rate, totals } = update ?? {};
  const rows = gradient?.op === 'Reshape' ? view.producer(gradient.inputs[0]!) : undefined;
  if (!totals || rows?.op !== 'Transpose' || intsAttribute(rows, 'perm')?.join() !== '1,0') return undefined;
  const size = b.shape(rows.outputs[0]!);
  const shape = b.shape(weight) as number[];

  const source = rows.inputs[0]!;
  const exchanged = { perm: ints([1, 0]) };
  const turned = (builder: GraphBuilder, value: string) => builder.op('Transpose', [value], exchanged);
  const name = b.input(b.unique(`kernels/${layer}`), 'float32', b.shape(source));
  const next = b.op('Sub', [name, rate === undefined ? source : b.op('Mul', [source, rate])]);
  const writers = new Map<Node, () => void>();
  for (const total of totals) {
    writers.set(total, () => b.op('ReduceSumSquare', [source], { keepdims: int(0) }, { outputNames: total.outputs }));
  }
  replacing((node) => writers.get(node))(b, []);
  // In front of everything that reads the weight.
  const others = b.nodes.splice(0);
  b.op('Reshape', [turned(b, name), b.axes(shape)], {}, { outputNames: [weight] });
  b.nodes.push(...others);
  const first = outer.within('kernels', () => turned(outer, outer.reshape(initial, size as number[])));
  return {
    states: [{ name, initial: first, next }],
    writeDelta: (final, outputName) => {
      const delta = turned(outer, outer.op('Sub', [first, final(name)]));
      outer.op('Reshape', [delta, outer.axes(shape)], {}, { outputNames: [outputName] });
    },
  };
}
