import { matMul, mul, reduceSum, sub } from '../../expressions.ts';
import { type Dim, int, intAttribute, ints, stringAttribute, type Value } from '../../ir.ts';
import type { GraphWriter } from '../../writer.ts';
import type { GradientContext, Gradients } from '../operator.ts';

/**
 * One direction of a recurrent layer as its backward pass sees it. Steps stand in the order of the input, also where the layer ran from
 * the last to the first; "before" then means the later step. T steps, B sequences, H hidden units, N inputs, G gates.
 */
export interface Direction {
  readonly b: GraphWriter;
  readonly reverse: boolean;
  readonly hidden: number;
  readonly gates: number;
  /** [T, B, N], the same for both directions. */
  readonly x: string;
  /** [G·H, N] and [G·H, H]. */
  readonly w: string;
  readonly r: string;
  /** [G·H], of the input and of the recurrence; undefined without biases. */
  readonly inputBias?: string;
  readonly recurrentBias?: string;
  /** The hidden state before each step: [T, B, H]. */
  readonly before: string;
  /** 1 where a sequence still runs, else 0: [T, B, 1]; undefined when all have full length. */
  readonly running?: string;
  /** Gradients of the hidden state after each step [T, B, H] and after the last [B, H]. */
  readonly dy: string;
  readonly dLast: string;
  /** A state of the kernel's inputs or gradients of its outputs for this direction [B, H]; zeros where there is none. */
  readonly state: (value: string | undefined) => string;
}

/** What a layer's own rule finds for one direction. */
export interface DirectionGradients {
  /** Gradient of each gate before its activation, as the input sees it: [T, B, G·H]. */
  readonly gates: string;
  /** The same as the recurrent bias sees it, where that differs (GRU). */
  readonly recurrentGates?: string;
  /** [G·H, H] */
  readonly r: () => string;
  /** Gradients of the states before the first step [B, H], by input position. */
  readonly initial: ReadonlyMap<number, string>;
}

/** Positions of the inputs that LSTM, GRU and RNN share. */
const position = { x: 0, w: 1, r: 2, bias: 3, lengths: 4, initial: 5 } as const;

/** Gradients of a recurrent layer: those of its directions, put together. */
export function recurrentGradients(
  context: GradientContext,
  gates: number,
  rule: (direction: Direction) => DirectionGradients,
): Gradients {
  const { b, node, x, needs } = context;
  const kind = stringAttribute(node, 'direction', 'forward');
  const reversed = kind === 'bidirectional' ? [false, true] : [kind === 'reverse'];
  const directions = reversed.map((reverse, i) => {
    const direction = directionOf(context, gates, reverse, i, reversed.length);
    return { direction, gradients: b.within(reverse ? 'backwards' : 'forwards', () => rule(direction)) };
  });
  const stacked = (part: (d: (typeof directions)[number]) => string) => {
    const parts = directions.map((d) => b.op('Unsqueeze', [part(d), b.axes([0])]));
    return parts.length === 1 ? parts[0]! : b.op('Concat', parts, { axis: int(0) });
  };
  const result: (string | undefined)[] = node.inputs.map(() => undefined);
  if (needs(position.x)) {
    const parts = directions.map(({ direction, gradients }) => matMul(b, gradients.gates, direction.w));
    result[position.x] = parts.reduce((sum, part) => b.op('Add', [sum, part]));
  }
  if (needs(position.w)) result[position.w] = stacked((d) => weightGradient(b, d.gradients.gates, x(position.x)));
  if (needs(position.r)) result[position.r] = stacked((d) => d.gradients.r());
  if (needs(position.bias)) {
    result[position.bias] = stacked(({ gradients }) => {
      const sum = (value: string) => reduceSum(b, value, [0, 1], false);
      return b.op('Concat', [sum(gradients.gates), sum(gradients.recurrentGates ?? gradients.gates)], { axis: int(0) });
    });
  }
  for (const input of directions[0]!.gradients.initial.keys()) {
    if (needs(input)) result[input] = stacked((d) => d.gradients.initial.get(input)!);
  }
  return result;
}

/** dGᵀ·X over all steps and sequences: [T, B, G·H], [T, B, N] → [G·H, N]. */
export function weightGradient(b: GraphWriter, gates: string, input: string): string {
  const rows = (value: string) => b.reshape(value, [-1, b.shape(value).at(-1) as number]);
  return b.op('Gemm', [rows(gates), rows(input)], { transA: int(1) });
}

function directionOf(
  { b, node, x, dys }: GradientContext,
  gates: number,
  reverse: boolean,
  index: number,
  count: number,
): Direction {
  const input = (at: number) => node.inputs[at] || undefined;
  const hidden = intAttribute(node, 'hidden_size', b.shape(x(position.r)).at(-1) as number);
  const pick = (value: string, axis: number) =>
    count === 1
      ? b.op('Squeeze', [value, b.axes([axis])])
      : b.op('Gather', [value, b.index(index)], { axis: int(axis) });
  const [steps, batch] = b.shape(x(position.x));
  const zeros = () =>
    b.op('ConstantOfShape', [
      b.op('Concat', [b.op('Shape', [x(position.x)], { start: int(1), end: int(2) }), b.axes([hidden])], {
        axis: int(0),
      }),
    ]);
  const state = (value: string | undefined) => (value ? pick(value, 0) : zeros());
  const bias = input(position.bias);
  const halves = bias && b.node('Split', [pick(bias, 0)], { axis: int(0), num_outputs: int(2) }, { outputs: 2 });
  const y = pick(node.outputs[0]!, 1);
  const lengths = input(position.lengths);
  const start = input(position.initial);
  const neighbours = stateBefore(b, y, state(start), reverse);
  b.declare(neighbours, { dtype: 'float32', shape: [steps!, batch!, hidden] });
  const running = lengths && stillRunning(b, neighbours, lengths, 0);
  const dy = dys[0] ? pick(dys[0], 1) : b.op('ConstantOfShape', [b.shapeOf(y)]);
  return {
    b,
    reverse,
    hidden,
    gates,
    x: x(position.x),
    w: pick(x(position.w), 0),
    r: pick(x(position.r), 0),
    inputBias: halves?.[0],
    recurrentBias: halves?.[1],
    before: lengths && reverse && start ? startedAt(b, neighbours, state(start), lengths) : neighbours,
    running,
    // Behind a sequence's end the output is 0, whatever the layer does.
    dy: running ? mul(b, dy, running) : dy,
    dLast: state(dys[1]),
    state,
  };
}

/** The outputs moved by one step, with the initial state at the free end. */
function stateBefore(b: GraphWriter, y: string, start: string, reverse: boolean): string {
  const row = b.op('Unsqueeze', [start, b.axes([0])]);
  const far = Number.MAX_SAFE_INTEGER;
  const others = b.op('Slice', [y, b.axes([reverse ? 1 : 0]), b.axes([reverse ? far : -1]), b.axes([0])]);
  return b.op('Concat', reverse ? [others, row] : [row, others], { axis: int(0) });
}

/** A sequence read from its end begins at its own last step, not at that of the longest. */
function startedAt(b: GraphWriter, before: string, start: string, lengths: string): string {
  const inside = b.op('Cast', [stillRunning(b, before, lengths, 1)], { to: int(9) });
  return b.op('Where', [inside, before, start]);
}

/** Whether step t + ahead belongs to the sequence: [T, B, 1] of 0 and 1. */
function stillRunning(b: GraphWriter, like: string, lengths: string, ahead: number): string {
  const steps = b.op('Squeeze', [b.op('Shape', [like], { start: int(0), end: int(1) }), b.axes([0])]);
  const step = b.op('Range', [b.index(ahead), b.op('Add', [steps, b.index(ahead)]), b.index(1)]);
  const inside = b.op('Less', [b.op('Unsqueeze', [step, b.axes([1])]), b.op('Cast', [lengths], { to: int(7) })]);
  return b.op('Unsqueeze', [b.op('Cast', [inside], { to: int(1) }), b.axes([2])]);
}

/** x·wᵀ + bias over the last axis. */
export function linear(b: GraphWriter, x: string, w: string, bias: string | undefined): string {
  const product = matMul(b, x, w, false, true);
  return bias ? b.op('Add', [product, bias]) : product;
}

/** What the input adds to the gates before their activations, in one product over all steps [T, B, G·H]. */
export function inputPart({ b, x, w, inputBias }: Direction): string {
  return linear(b, x, w, inputBias);
}

/** The gates before their activations, where input and state are simply added [T, B, G·H]. */
export function rawGates(direction: Direction): string {
  const { b, before, r, recurrentBias } = direction;
  return b.op('Add', [inputPart(direction), linear(b, before, r, recurrentBias)]);
}

/** The gates of [T, B, G·H] as G values [T, B, H]. */
export function splitGates({ b, gates }: Direction, value: string): readonly string[] {
  return b.node('Split', [value], { axis: int(2), num_outputs: int(gates) }, { outputs: gates });
}

/** 1 − value */
export const oneMinus = (b: GraphWriter, value: string): string => sub(b, b.scalar(1), value);

/** σ′ in terms of σ. */
export const sigmoidSlope = (b: GraphWriter, s: string): string => mul(b, s, oneMinus(b, s));

/** tanh′ in terms of tanh. */
export const tanhSlope = (b: GraphWriter, t: string): string => oneMinus(b, mul(b, t, t));

/** Outside a sequence a factor of the step's own work is 0 … */
export function masked({ b, running }: Direction, value: string): string {
  return running ? mul(b, value, running) : value;
}

/** … and that of the state carried through is 1. */
export function carriedThrough({ b, running }: Direction, value: string): string {
  if (!running) return value;
  return b.op('Add', [mul(b, value, running), oneMinus(b, running)]);
}

/** 1 in steps behind a sequence's end, through which the gradient of its last state passes [T, B, 1]; none where all run to the end. */
export function passedThrough({ b, running }: Direction): string[] {
  return running ? [oneMinus(b, running)] : [];
}

/**
 * A Scan over steps, in the layer's own order or against it.
 * @param states values carried from step to step, at the start [B, H]
 * @param sequences values [T, B, …] of which each step reads its row
 * @param step writes one step: given states and rows, returns the next states and the row it puts out
 * @returns the states after the last step, and the rows put out [T, B, width]
 */
export function scanSteps(
  direction: Direction,
  against: boolean,
  name: string,
  states: readonly string[],
  sequences: readonly string[],
  step: (body: GraphWriter, states: readonly string[], rows: readonly string[]) => { states: string[]; row: string },
): { states: readonly string[]; rows: string } {
  const { b, reverse } = direction;
  const body = b.subgraph();
  const declared = (kind: string, shape: readonly Dim[]) =>
    body.input(body.unique(`${name}/${kind}`), 'float32', shape);
  const carried = states.map((state) => declared('state', b.shape(state)));
  const read = sequences.map((sequence) => declared('row', b.shape(sequence).slice(1)));
  const written = step(body, carried, read);
  const kept = (value: string) => body.op('Identity', [value], {}, { outputNames: [body.unique(`${name}/next`)] });
  const graph = body.build(name, [...written.states.map(kept), kept(written.row)]);
  const results: Value[] = [
    ...states.map((state) => ({ name: b.unique(`${name}/last`), ...b.type(state) })),
    {
      name: b.unique(`${name}/rows`),
      dtype: 'float32',
      shape: [b.shape(sequences[0]!)[0]!, ...body.shape(written.row)],
    },
  ];
  const order = Number(reverse !== against);
  const attributes = {
    body: { kind: 'graph', value: graph },
    num_scan_inputs: int(sequences.length),
    scan_input_directions: ints(sequences.map(() => order)),
    scan_output_directions: ints([order]),
  } as const;
  const names = b.control('Scan', [...states, ...sequences], attributes, results);
  return { states: names.slice(0, states.length), rows: names[states.length]! };
}
