import { ModelError } from '../../errors.ts';
import type { Binding } from '../binding.ts';
import type { GraphBuilder } from '../builder.ts';
import { type DataType, float32Tensor, int, int64Tensor } from '../ir.ts';
import { dataTypeCode } from '../onnx/tensor.ts';
import { batchFirst } from './batch-first.ts';
import { binaryCrossEntropy } from './binary-cross-entropy.ts';
import { crossEntropy } from './cross-entropy.ts';
import { ctc } from './ctc.ts';
import { meanSquaredError } from './mean-squared-error.ts';
import { tokenCrossEntropy } from './token-cross-entropy.ts';

/** The loss of a mini-batch as a graph holds it. */
export interface WrittenLoss {
  /** float32 scalar. */
  readonly loss: string;
  /** Output of the model → gradient of the loss with respect to it: where differentiation starts. */
  readonly seeds: ReadonlyMap<string, string>;
  /** The logits as they are scored: those of a transcription as [batch, frames, symbols], with the blank as symbol 0. */
  readonly logits?: string;
  /** int64 [batch]; transcription only. */
  readonly outputLengths?: string;
  /** float32 scalar, CTC only: how many targets of the batch do not fit into their frames, and were skipped. */
  readonly infeasible?: string;
}

/**
 * Writes the loss that a binding asks for.
 * @param fields data field → value holding one mini-batch of it
 * @param outputs value of the model, its outputs among them → value of the graph
 * @throws ModelError when shapes, fields or settings do not fit the loss
 */
export function writeLoss(
  b: GraphBuilder,
  binding: Binding,
  fields: ReadonlyMap<string, string>,
  outputs: ReadonlyMap<string, string>,
): WrittenLoss {
  const { loss: spec, objective } = binding;
  const logits = logitsOf(binding, outputs);
  if (spec.kind === 'output') return { ...ownLoss(b, spec.output!, outputs.get(spec.output!)!), logits };
  const output = logits!;
  if (spec.kind === 'ctc') return writeCtc(b, binding, spec.blank ?? 0, fields, outputs);
  if (objective === 'transcription') {
    throw new ModelError(`loss.kind: '${spec.kind}' cannot learn transcriptions; use ctc, or output`);
  }
  const target = fields.get(binding.target!)!;
  if (objective === 'classification') requireRank(b, output, 2, binding, '[batch, classes]');
  if (spec.kind === 'cross-entropy') {
    const labels = cast(b, target, 'int64');
    const write = objective === 'classification' ? crossEntropy : tokenCrossEntropy;
    const { loss, logitsGradient } = write(b, output, labels, spec);
    return { loss, logits, seeds: new Map([[output, logitsGradient]]) };
  }
  const wanted = objective === 'classification' ? oneHot(b, output, target) : cast(b, target, 'float32');
  requireSameShape(b, output, wanted);
  const write = spec.kind === 'mse' ? meanSquaredError : binaryCrossEntropy;
  const { loss, logitsGradient } = write(b, output, wanted);
  return { loss, logits, seeds: new Map([[output, logitsGradient]]) };
}

function logitsOf({ logits, probabilities }: Binding, outputs: ReadonlyMap<string, string>): string | undefined {
  return outputs.get(probabilities?.of ?? logits ?? '');
}

/** A loss that the model computes itself. */
function ownLoss(b: GraphBuilder, name: string, value: string): Pick<WrittenLoss, 'loss' | 'seeds'> {
  const shape = b.shape(value);
  if (shape.some((size) => size !== 1)) {
    throw new ModelError(`loss.output: '${name}' has shape [${shape}]; a loss is one number, its mean over the batch`);
  }
  const dims = shape.map(() => 1);
  const seeds = new Map([[value, b.constant(float32Tensor(dims, [1]))]]);
  return { loss: shape.length === 0 ? value : b.reshape(value, []), seeds };
}

function writeCtc(
  b: GraphBuilder,
  binding: Binding,
  blank: number,
  fields: ReadonlyMap<string, string>,
  outputs: ReadonlyMap<string, string>,
): WrittenLoss {
  const given = logitsOf(binding, outputs)!;
  if (binding.objective !== 'transcription')
    throw new ModelError(`loss.kind: ctc learns transcriptions; the data has none`);
  requireRank(b, given, 3, binding, '[batch, frames, symbols] or [frames, batch, symbols]');
  const targets = fields.get('targets')!;
  const [ordered, backToOrder] = batchFirst(b, given, b.shape(targets)[0]!);
  const [logits, back] = withBlankFirst(b, ordered, blank);
  const own = binding.outputLengths ? outputs.get(binding.outputLengths) : undefined;
  const lengths = cast(b, own ?? shrunkLengths(b, fields, ordered), 'int64');
  const { loss, logitsGradient, infeasible } = ctc(b, {
    logits,
    lengths,
    targets: cast(b, targets, 'int64'),
    targetLengths: cast(b, fields.get('target_lengths')!, 'int64'),
  });
  const seeds = new Map([[given, backToOrder(back(logitsGradient))]]);
  return { loss, logits, seeds, outputLengths: lengths, infeasible };
}

/** Moves the blank to the front of the symbols, and says how a gradient gets back to their order. */
function withBlankFirst(b: GraphBuilder, logits: string, blank: number): [string, (gradient: string) => string] {
  if (blank === 0) return [logits, (gradient) => gradient];
  const symbols = b.shape(logits)[2]!;
  if (typeof symbols !== 'number') {
    throw new ModelError(
      `loss.blank: the model leaves its number of symbols open; export it with a fixed one, or with the blank first`,
    );
  }
  if (blank >= symbols) throw new ModelError(`loss.blank: ${blank} is not one of the model's ${symbols} symbols`);
  const others = Array.from({ length: symbols }, (_, i) => i).filter((symbol) => symbol !== blank);
  const order = [blank, ...others];
  const chosen = (value: string, indices: readonly number[]) =>
    b.op('Gather', [value, b.constant(int64Tensor([symbols], indices))], { axis: int(2) });
  const back = order.map((_, symbol) => order.indexOf(symbol));
  return [chosen(logits, order), (gradient) => chosen(gradient, back)];
}

function oneHot(b: GraphBuilder, logits: string, labels: string): string {
  const classes = b.shape(logits)[1]!;
  const depth =
    typeof classes === 'number' ? b.index(classes) : b.op('Squeeze', [b.op('Shape', [logits], { start: int(1) })]);
  return b.op('OneHot', [cast(b, labels, 'int64'), depth, b.constant(float32Tensor([2], [0, 1]))]);
}

/** The value as another type, if it is not of that type already. */
export function cast(b: GraphBuilder, value: string, dtype: DataType): string {
  return b.type(value).dtype === dtype ? value : b.op('Cast', [value], { to: int(dataTypeCode(dtype)) });
}

function requireRank(b: GraphBuilder, logits: string, rank: number, binding: Binding, form: string): void {
  if (b.rank(logits) !== rank) {
    throw new ModelError(
      `output '${binding.logits}' has shape [${b.shape(logits)}]; for ${binding.objective} it must be ${form}`,
    );
  }
}

/** @throws ModelError unless the target has the shape of the output, as far as sizes are known */
export function requireSameShape(b: GraphBuilder, output: string, target: string): void {
  const [shape, given] = [b.shape(output), b.shape(target)];
  const fits = shape.every((size, i) => typeof size === 'string' || typeof given[i] === 'string' || size === given[i]);
  if (shape.length !== given.length || !fits) {
    throw new ModelError(`loss.target: has shape [${given}], but the output has [${shape}]; they must be equal`);
  }
}

/** ceil(length · output frames / input frames). */
function shrunkLengths(b: GraphBuilder, fields: ReadonlyMap<string, string>, logits: string): string {
  const size = (value: string) => b.op('Shape', [value], { start: int(1), end: int(2) });
  const [before, after] = [size(fields.get('features')!), size(logits)];
  const scaled = b.op('Mul', [cast(b, fields.get('lengths')!, 'int64'), after]);
  return b.op('Div', [b.op('Sub', [b.op('Add', [scaled, before]), b.axes([1])]), before]);
}
