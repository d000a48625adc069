import { ModelError } from '../errors.ts';
import type { LayerSpec } from '../params/layout.ts';
import { GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { exportGraph } from './export.ts';
import { layersOf, outputsOf } from './forward.ts';
import { writeForward } from './import.ts';
import type { Dim, Model } from './ir.ts';
import { batchFirst } from './losses/batch-first.ts';
import { binaryCrossEntropy } from './losses/binary-cross-entropy.ts';
import { ctc } from './losses/ctc.ts';
import type { LossValues } from './losses/loss.ts';
import { meanSquaredError } from './losses/mean-squared-error.ts';
import { tokenCrossEntropy } from './losses/token-cross-entropy.ts';
import { cast, requireSameShape } from './losses/write-loss.ts';
import { optimise, optimiseForward } from './optimise.ts';

export const lossKinds = ['cross-entropy', 'ctc', 'mse', 'bce'] as const;
export type LossKind = (typeof lossKinds)[number];

/** Which loss is taken of which output of the model. */
export interface LossOfOutput {
  readonly kind: LossKind;
  readonly output: string;
}

/** What the values given to one run look like. */
export interface GivenType {
  readonly dtype: 'float32' | 'int64';
  readonly shape: readonly Dim[];
}

/** One forward and backward pass. */
export interface GradientArtifact {
  /** Inputs: the model's own, each layer by name, and the loss's under `lossInputs`. */
  readonly onnx: Uint8Array;
  readonly layers: readonly LayerSpec[];
  /** Name of the scalar output with the loss. */
  readonly loss: string;
  /** Layer → name of the output with its gradient; a layer the loss does not depend on is missing. */
  readonly gradients: ReadonlyMap<string, string>;
}

/** Names of the inputs that only the loss reads. */
export const lossInputs = {
  target: 'loss/target',
  inputLengths: 'loss/input_lengths',
  targetLengths: 'loss/target_lengths',
} as const;

/**
 * Compiles one forward and backward pass of a model under a loss.
 * @param given types of the values a run is given, by name: of every input of the model and of the loss's. Fixed sizes make the
 *   graph simpler; symbolic ones let it run on any.
 * @throws ModelError when the model cannot be differentiated or the values do not fit it
 */
export function compileGradients(
  model: Model,
  lossOf: LossOfOutput,
  given: ReadonlyMap<string, GivenType>,
): GradientArtifact {
  const layers = layersOf(model);
  const b = new GraphBuilder();
  const weights = new Map(layers.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const names = new Map(weights);
  for (const { name, dtype } of model.graph.inputs) {
    const { dtype: type, shape } = given.get(name)!;
    names.set(name, cast(b, b.input(name, type, shape), dtype));
  }
  for (const name of Object.values(lossInputs)) {
    const type = given.get(name);
    if (type) b.input(name, type.dtype, type.shape);
  }
  const imported = b.within('forward', () => writeForward(b, model, names));
  const nodes = optimiseForward(b, imported, outputsOf(model, names));
  const output = names.get(lossOf.output);
  if (!output || !model.graph.outputs.some(({ name }) => name === lossOf.output)) {
    const known = model.graph.outputs.map(({ name }) => `'${name}'`).join(', ');
    throw new ModelError(`loss.output: the model has no output '${lossOf.output}'; its outputs are ${known}`);
  }
  const { loss, logitsGradient } = b.within('loss', () => writeLoss(b, lossOf.kind, output));
  const gradients = differentiate(b, nodes, new Map([[output, logitsGradient]]), new Set(weights.values()));
  const named = (value: string, name: string) => b.op('Identity', [value], {}, { outputNames: [b.unique(name)] });
  const lossName = named(loss, 'loss');
  const outputs = new Map([...gradients].map(([layer, value]) => [layer, named(value, `gradient/${layer}`)]));
  const all = [lossName, ...outputs.values()];
  optimise(b, all);
  return { onnx: exportGraph(b.build('gradients', all)), layers, loss: lossName, gradients: outputs };
}

function writeLoss(b: GraphBuilder, kind: LossKind, output: string): LossValues {
  const { target } = lossInputs;
  switch (kind) {
    case 'cross-entropy':
      return tokenCrossEntropy(b, output, target);
    case 'ctc':
      return writeCtc(b, output);
    default: {
      requireSameShape(b, output, target);
      return kind === 'mse' ? meanSquaredError(b, output, target) : binaryCrossEntropy(b, output, target);
    }
  }
}

/** CTC on [batch, frames, symbols], or on [frames, batch, symbols]. */
function writeCtc(b: GraphBuilder, output: string): LossValues {
  const shape = b.shape(output);
  if (shape.length !== 3) {
    throw new ModelError(`loss.output: has shape [${shape}]; for ctc it must be [batch, frames, symbols]`);
  }
  const [logits, back] = batchFirst(b, output, b.shape(lossInputs.target)[0]!);
  const values = ctc(b, {
    logits,
    lengths: lossInputs.inputLengths,
    targets: lossInputs.target,
    targetLengths: lossInputs.targetLengths,
  });
  return { ...values, logitsGradient: back(values.logitsGradient) };
}
