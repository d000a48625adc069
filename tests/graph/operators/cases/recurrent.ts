import type { Attributes, Tensor } from '../../../../graph/ir.ts';
import { int, text } from '../../../../graph/ir.ts';
import { type CaseInput, type GradientCase, real } from '../../../support/gradient-case.ts';
import { runRecurrent } from '../../../support/recurrent-oracle.ts';

/** Number of gates and of states of each layer. */
const kinds = { LSTM: [4, 2], GRU: [3, 1], RNN: [1, 1] } as const;
type Kind = keyof typeof kinds;

interface Layer {
  readonly steps?: number;
  readonly batch?: number;
  readonly direction?: 'forward' | 'reverse' | 'bidirectional';
  readonly bias?: boolean;
  readonly lengths?: readonly number[];
  readonly states?: boolean;
  readonly outputs?: readonly number[];
  readonly attributes?: Attributes;
  readonly symbolic?: boolean;
}

const [features, hidden] = [3, 2];

/** Small values, so that no gate is saturated and every difference stays smooth. */
const small = (dims: readonly number[], shape: readonly (number | string)[] = dims) =>
  real(dims, { shape, low: -0.8, high: 0.8 });

function lengthsOf(values: readonly number[]): Tensor {
  return { dtype: 'int32', dims: [values.length], data: Int32Array.from(values) };
}

function layer(op: Kind, title: string, given: Layer): GradientCase {
  const { steps = 4, batch = 2, direction = 'forward', bias = true, lengths, states = false, symbolic = false } = given;
  const [gates, stateCount] = kinds[op];
  const linearBeforeReset = given.attributes?.linear_before_reset !== undefined;
  const relu = given.attributes?.activations !== undefined;
  const directions = direction === 'bidirectional' ? 2 : 1;
  const state = () => small([directions, batch, hidden]);
  const inputs: CaseInput[] = [
    small([steps, batch, features], symbolic ? ['frames', 'batch', features] : undefined),
    small([directions, gates * hidden, features]),
    small([directions, gates * hidden, hidden]),
    bias ? small([directions, 2 * gates * hidden]) : undefined,
    lengths ? lengthsOf(lengths) : undefined,
    ...(states ? Array.from({ length: stateCount }, state) : []),
  ];
  return {
    title,
    op,
    inputs,
    attributes: { hidden_size: int(hidden), direction: text(direction), ...given.attributes },
    outputs: 1 + stateCount,
    cotangents: given.outputs ?? [0],
    oracle: (tensors) => runRecurrent({ op, direction, linearBeforeReset, relu }, tensors),
  };
}

function casesOf(op: Kind, attributes: Attributes, suffix: string): GradientCase[] {
  const everything = Array.from({ length: 1 + kinds[op][1] }, (_, i) => i);
  const last = everything.slice(1);
  const make = (title: string, given: Layer) => layer(op, title + suffix, { ...given, attributes });
  return (['forward', 'reverse', 'bidirectional'] as const).flatMap((direction) => [
    make(`${direction}`, { direction }),
    make(`${direction}, initial states, every output`, { direction, states: true, outputs: everything }),
    make(`${direction}, the last states alone`, { direction, outputs: last }),
    make(`${direction}, sequences of different lengths`, { direction, lengths: [4, 2], outputs: everything }),
    make(`${direction}, lengths and initial states`, {
      direction,
      batch: 3,
      lengths: [1, 4, 3],
      states: true,
      outputs: everything,
    }),
    make(`${direction}, sizes unknown`, { direction, symbolic: true }),
    make(`${direction}, one step, no bias`, { direction, steps: 1, bias: false }),
  ]);
}

const relu: Attributes = { activations: { kind: 'strings', value: ['Relu', 'Relu'] } };

export const recurrentCases: readonly GradientCase[] = [
  ...casesOf('LSTM', {}, ''),
  ...casesOf('GRU', {}, ''),
  ...casesOf('GRU', { linear_before_reset: int(1) }, ', linear before reset'),
  ...casesOf('RNN', {}, ''),
  layer('RNN', 'forward, relu', { attributes: relu }),
  layer('RNN', 'bidirectional, relu, lengths', {
    direction: 'bidirectional',
    lengths: [4, 2],
    attributes: relu,
    outputs: [0, 1],
  }),
];
