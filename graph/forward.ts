import { ModelError } from '../errors.ts';
import type { LayerSpec } from '../params/layout.ts';
import type { Binding } from './binding.ts';
import type { GraphBuilder } from './builder.ts';
import { writeForward } from './import.ts';
import { type DataType, int, type Model, type Node } from './ir.ts';
import { crossEntropy } from './losses/cross-entropy.ts';
import { ctc } from './losses/ctc.ts';
import type { LossValues } from './losses/loss.ts';
import { dataTypeCode } from './onnx/tensor.ts';
import { optimiseForward } from './optimise.ts';

/** The trainable layers of a model, in the order of the flat parameter vector. */
export function layersOf(model: Model): LayerSpec[] {
  return model.weights.map((name) => ({ name, shape: model.graph.constants.get(name)!.dims }));
}

/** What a builder calls the outputs of a model. */
export function outputsOf(model: Model, names: ReadonlyMap<string, string>): string[] {
  return model.graph.outputs.map(({ name }) => names.get(name)!);
}

/** The values of a forward pass and its loss. */
export interface WrittenForward extends LossValues {
  readonly nodes: readonly Node[];
  readonly logits: string;
  /** int64 [batch]; transcription only. */
  readonly outputLengths?: string;
}

/**
 * Writes forward pass and loss.
 * @param fields data field → value holding one mini-batch of it
 * @param weights layer → value holding the weight
 */
export function writeForwardAndLoss(
  b: GraphBuilder,
  model: Model,
  binding: Binding,
  fields: ReadonlyMap<string, string>,
  weights: ReadonlyMap<string, string>,
): WrittenForward {
  const names = new Map(weights);
  for (const input of model.graph.inputs) {
    names.set(input.name, cast(b, fields.get(binding.inputs[input.name] ?? '')!, input.dtype));
  }
  const imported = b.within('forward', () => writeForward(b, model, names));
  const nodes = optimiseForward(b, imported, outputsOf(model, names));
  const logits = names.get(binding.logits)!;
  return b.within('loss', () => {
    if (binding.objective === 'classification') {
      requireRank(b, logits, 2, binding, '[batch, classes]');
      return { nodes, logits, ...crossEntropy(b, logits, cast(b, fields.get('label')!, 'int64')) };
    }
    requireRank(b, logits, 3, binding, '[batch, frames, symbols]');
    const given = binding.outputLengths ? names.get(binding.outputLengths) : undefined;
    const lengths = cast(b, given ?? shrunkLengths(b, fields, logits), 'int64');
    const targets = cast(b, fields.get('targets')!, 'int64');
    const targetLengths = cast(b, fields.get('target_lengths')!, 'int64');
    return { nodes, logits, outputLengths: lengths, ...ctc(b, { logits, lengths, targets, targetLengths }) };
  });
}

function cast(b: GraphBuilder, value: string, dtype: DataType): string {
  return b.type(value).dtype === dtype ? value : b.op('Cast', [value], { to: int(dataTypeCode(dtype)) });
}

function requireRank(b: GraphBuilder, logits: string, rank: number, binding: Binding, form: string): void {
  if (b.rank(logits) !== rank) {
    throw new ModelError(
      `output '${binding.logits}' has shape [${b.shape(logits)}]; for ${binding.objective} it must be ${form}`,
    );
  }
}

/** ceil(length · output frames / input frames). */
function shrunkLengths(b: GraphBuilder, fields: ReadonlyMap<string, string>, logits: string): string {
  const size = (value: string) => b.op('Shape', [value], { start: int(1), end: int(2) });
  const [before, after] = [size(fields.get('features')!), size(logits)];
  const scaled = b.op('Mul', [cast(b, fields.get('lengths')!, 'int64'), after]);
  return b.op('Div', [b.op('Sub', [b.op('Add', [scaled, before]), b.axes([1])]), before]);
}
