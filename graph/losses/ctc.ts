import type { GraphBuilder } from '../builder.ts';
import { add, mul, neg, reduceSum, sub } from '../expressions.ts';
import { float32Tensor, int, ints, text, toTheEnd } from '../ir.ts';
import type { LossValues } from './loss.ts';

/** log 0 that stays finite in float32 sums. */
const logZero = -1e30;

/** Names of the values a CTC loss reads. Lengths and targets are int64. */
export interface CtcInputs {
  /** float32 [batch, frames, symbols]; symbol 0 is the blank. */
  readonly logits: string;
  /** [batch], frames of each utterance. */
  readonly lengths: string;
  /** [batch, labels] padded with 0 at the end, at least one column. */
  readonly targets: string;
  /** [batch] */
  readonly targetLengths: string;
}

export interface CtcValues extends LossValues {
  /** float32 scalar: how many targets of the batch do not fit into their frames. */
  readonly infeasible: string;
}

/**
 * Connectionist temporal classification (Graves et al. 2006) in log space: mean over the batch of −log p(target) / target length, as
 * PyTorch's `mean` reduction. A target that does not fit into its frames has probability 0: it adds neither loss nor gradient.
 *
 * Forward and backward variables are one recursion: the backward one runs on time-reversed frames and reversed labels, so both
 * are rows of one Scan.
 */
export function ctc(b: GraphBuilder, { logits, lengths, targets, targetLengths }: CtcInputs): CtcValues {
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
  const extended = interleaveBlanks(b, targets, targetLengths);
  const states = add(b, mul(b, targetLengths, b.index(2)), b.index(1));
  const reverse = (value: string, by: string, batchAxis: number) =>
    b.op('ReverseSequence', [value, by], { batch_axis: int(batchAxis), time_axis: int(1 - batchAxis) });
  const emissions = emissionsOf(b, logProbabilities, extended);
  const reversedLabels = reverse(extended, states, 0);
  const reversedEmissions = emissionsOf(b, reverse(logProbabilities, lengths, 0), reversedLabels);

  const both = b.op('Concat', [emissions, reversedEmissions], { axis: int(1) });
  const labels = b.op('Concat', [extended, reversedLabels], { axis: int(0) });
  const variables = recursion(b, both, labels);
  const [forward, reversedBackward] = b.node(
    'Split',
    [variables],
    { axis: int(1), num_outputs: int(2) },
    { outputs: 2 },
  );
  for (const half of [forward!, reversedBackward!]) b.declare(half, b.type(emissions));
  const backward = reverseStates(b, reverse(reversedBackward!, lengths, 1), states);

  // p(target) ends in state 0 or 1 of the backward variables at the first frame; an empty target has no state 1.
  const firstFrame = b.op('Gather', [backward, b.index(0)], { axis: int(0) });
  const ends = b.op('Slice', [firstFrame, b.axes([0]), b.axes([2]), b.axes([1])]);
  const exists = b.op('Less', [b.axes([0, 1]), b.op('Unsqueeze', [states, b.axes([1])])]);
  const starts = b.op('Where', [exists, ends, b.scalar(logZero)]);
  const logLikelihood = b.op('ReduceLogSumExp', [starts, b.axes([1])], { keepdims: int(0) });
  const possible = b.op('Cast', [b.op('Greater', [logLikelihood, b.scalar(logZero / 2)])], { to: int(1) });
  const weights = utteranceWeights(b, possible, targetLengths);
  const loss = reduceSum(b, neg(b, mul(b, logLikelihood, weights)), [0], false);

  const withinFrames = b.op('Less', [
    b.op('Unsqueeze', [countTo(b, emissions, 0), b.axes([1])]),
    b.op('Unsqueeze', [lengths, b.axes([0])]),
  ]);
  const withinStates = b.op('Less', [countTo(b, emissions, 2), b.op('Unsqueeze', [states, b.axes([1])])]);
  const valid = b.op('And', [b.op('Unsqueeze', [withinFrames, b.axes([2])]), withinStates]);
  const logPosterior = sub(
    b,
    sub(b, add(b, forward!, backward), emissions),
    b.op('Unsqueeze', [logLikelihood, b.axes([1])]),
  );
  const posterior = b.op('Where', [valid, b.op('Exp', [b.op('Min', [logPosterior, b.scalar(0)])]), b.scalar(0)]);
  const classes = b.op('Squeeze', [b.op('Shape', [logits], { start: int(2) }), b.axes([0])]);
  const oneHot = b.op('OneHot', [extended, classes, b.constant(float32Tensor([2], [0, 1]))]);
  const occupancy = b.op('MatMul', [b.op('Transpose', [posterior], { perm: ints([1, 0, 2]) }), oneHot]);
  const frameMask = b.op('Cast', [b.op('Transpose', [withinFrames], { perm: ints([1, 0]) })], { to: int(1) });
  const probabilities = mul(b, b.op('Exp', [logProbabilities]), b.op('Unsqueeze', [frameMask, b.axes([2])]));
  const difference = sub(b, probabilities, occupancy);
  return {
    loss,
    logitsGradient: mul(b, difference, b.op('Unsqueeze', [weights, b.axes([1, 2])])),
    infeasible: reduceSum(b, sub(b, b.scalar(1), possible), [0], false),
  };
}

/** Labels with a blank before, between and after: [batch, 2·labels + 1]. */
function interleaveBlanks(b: GraphBuilder, targets: string, targetLengths: string): string {
  const blanks = mul(b, targets, b.index(0));
  const pair = [blanks, targets].map((row) => b.op('Unsqueeze', [row, b.axes([2])]));
  const pairs = b.reshape(b.op('Concat', pair, { axis: int(2) }), [0, -1]);
  const last = b.op('Unsqueeze', [mul(b, targetLengths, b.index(0)), b.axes([1])]);
  return b.op('Concat', [pairs, last], { axis: int(1) });
}

/** Log-probability of each state's label at each frame: [frames, batch, states]. */
function emissionsOf(b: GraphBuilder, logProbabilities: string, labels: string): string {
  const frames = b.op('Shape', [logProbabilities], { start: int(1), end: int(2) });
  const [batch, states] = [0, 1].map((axis) => b.op('Shape', [labels], { start: int(axis), end: int(axis + 1) }));
  const shape = b.op('Concat', [batch!, frames, states!], { axis: int(0) });
  const indices = b.op('Expand', [b.op('Unsqueeze', [labels, b.axes([1])]), shape]);
  const chosen = b.op('GatherElements', [logProbabilities, indices], { axis: int(2) });
  return b.op('Transpose', [chosen], { perm: ints([1, 0, 2]) });
}

/** 0, 1, … as many as `value` has along `axis`. */
function countTo(b: GraphBuilder, value: string, axis: number): string {
  const size = b.op('Squeeze', [b.op('Shape', [value], { start: int(axis), end: int(axis + 1) }), b.axes([0])]);
  return b.op('Range', [b.index(0), size, b.index(1)]);
}

/** Puts the states of each utterance in opposite order, its padding left in place: [frames, batch, states]. */
function reverseStates(b: GraphBuilder, value: string, states: string): string {
  const position = countTo(b, value, 2);
  const count = b.op('Unsqueeze', [states, b.axes([1])]);
  const mirrored = sub(b, sub(b, count, b.index(1)), position);
  const source = b.op('Where', [b.op('Less', [position, count]), mirrored, position]);
  return b.op('GatherElements', [value, b.op('Expand', [source, b.shapeOf(value)])], { axis: int(2) });
}

/**
 * The forward recursion: state s at a frame is reached from s, s − 1, and, between different labels, s − 2.
 * The state vector carries two virtual states in front; the second starts with probability 1.
 * @returns log forward variables [frames, batch, states]
 */
function recursion(b: GraphBuilder, emissions: string, labels: string): string {
  const [batch, states] = b.shape(labels) as [string, string];
  const column = (value: number) =>
    b.op('Expand', [
      b.scalar(value),
      b.op('Concat', [b.op('Shape', [labels], { end: int(1) }), b.axes([1])], { axis: int(0) }),
    ]);
  const size = b.op('Shape', [labels]);
  const rest = b.op('Expand', [b.scalar(logZero), size]);
  const start = b.op('Concat', [column(logZero), column(0), rest], { axis: int(1) });
  const front = b.op('Concat', [column(logZero), column(logZero)], { axis: int(1) });
  const jumps = jumpPenalties(b, labels);

  const body = b.subgraph();
  const carried = body.input(body.unique('ctc/carried'), 'float32', b.shape(start));
  const emission = body.input(body.unique('ctc/emission'), 'float32', [batch, states]);
  const from = (first: number) => {
    const cut = body.op('Slice', [carried, body.axes([first]), body.axes([first - 2 || toTheEnd]), body.axes([1])]);
    body.declare(cut, { dtype: 'float32', shape: [batch, states] });
    return cut;
  };
  const arrivals = logSumExp(body, [from(2), from(1), add(body, from(0), jumps)]);
  const reached = add(body, arrivals, emission);
  const next = body.op('Concat', [front, reached], { axis: int(1) });
  const graph = body.build('ctc_recursion', [next, reached]);
  const [, variables] = b.control(
    'Scan',
    [start, emissions],
    { body: { kind: 'graph', value: graph }, num_scan_inputs: int(1) },
    [
      { name: b.unique('ctc/last'), ...b.type(start) },
      { name: b.unique('ctc/variables'), ...b.type(emissions) },
    ],
  );
  return variables!;
}

/** log Σ exp of equally shaped values. One elementwise operator after another is twice as fast as stacking them and ReduceLogSumExp. */
function logSumExp(b: GraphBuilder, values: readonly string[]): string {
  const largest = b.op('Max', values);
  const terms = values.map((value) => b.op('Exp', [sub(b, value, largest)]));
  return add(b, largest, b.op('Log', [b.op('Sum', terms)]));
}

/** log 1 for the step over a blank between different labels, log 0 for every other step over a state: [batch, states]. */
function jumpPenalties(b: GraphBuilder, labels: string): string {
  const before = b.op('Pad', [labels, b.axes([0, 2, 0, -2]), b.index(-1)], { mode: text('constant') });
  const isLabel = b.op('Greater', [labels, b.index(0)]);
  const differs = b.op('Not', [b.op('Equal', [labels, before])]);
  return b.op('Where', [b.op('And', [isLabel, differs]), b.scalar(0), b.scalar(logZero)]);
}

/** 1 / (batch · target length) for each utterance; 0 for one whose target is not possible. */
function utteranceWeights(b: GraphBuilder, possible: string, targetLengths: string): string {
  const asFloat = (value: string) => b.op('Cast', [value], { to: int(1) });
  const labels = b.op('Max', [asFloat(targetLengths), b.scalar(1)]);
  const batch = asFloat(b.op('Size', [targetLengths]));
  return b.op('Div', [possible, mul(b, labels, batch)]);
}
