import type { Node } from './ir.ts';
import { type GraphView, isTotal } from './rewrites/rewrite.ts';

/** A value that the loop over local steps hands from one step to the next. */
export interface LoopState {
  /** Name inside the loop. */
  readonly name: string;
  /** The outer value it starts as. */
  readonly initial: string;
  /** The inner value that the next step gets. */
  readonly next: string;
}

/** One layer in the step that has been written. */
export interface LayerStep {
  readonly layer: string;
  /** Its weight before the loop (an outer value), in the step, and after the step. */
  readonly initial: string;
  readonly weight: string;
  readonly updated: string;
}

/** A layer that the loop carries in another form than its weight. */
export interface CarriedLayer {
  readonly states: readonly LoopState[];
  /** Writes the layer's delta behind the loop. @param final the last value of a state, by its name */
  readonly writeDelta: (final: (state: string) => string, outputName: string) => void;
}

/** How a layer's weight changes: the node W − rate · gradient. */
export interface LayerUpdate {
  readonly node: Node;
  readonly gradient: Node;
  /** undefined where the gradient holds the rate already. */
  readonly rate: string | undefined;
  /** The nodes that take the gradient's norm. */
  readonly totals: readonly Node[];
}

/** A layer's update, when nothing but it and the norm reads the gradient. */
export function updateOf({ weight, updated }: LayerStep, view: GraphView): LayerUpdate | undefined {
  const node = view.producer(updated);
  const change = node?.op === 'Sub' && node.inputs[0] === weight ? view.producer(node.inputs[1]!) : undefined;
  if (!node || !change) return undefined;
  const scaled = isScaled(change, view) ? view.producer(change.inputs[0]!) : undefined;
  const readers = (of: Node) => view.readers(of.outputs[0]!);
  if (scaled && readers(change).length > 1) return undefined;
  const gradient = scaled ?? change;
  const totals = readers(gradient).filter((reader) => reader !== (scaled ? change : node));
  if (!totals.every(isTotal)) return undefined;
  return { node, gradient, rate: scaled && change.inputs[1]!, totals };
}

function isScaled({ op, inputs }: Node, { b }: GraphView): boolean {
  return op === 'Mul' && inputs[0] !== inputs[1] && b.rank(inputs[1]!) === 0;
}
