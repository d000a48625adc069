import { ModelError } from '../errors.ts';
import type { LayerSpec } from '../params/layout.ts';
import { type Binding, type DataField, dataFields } from './binding.ts';
import { GraphBuilder } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { exportGraph } from './export.ts';
import { layersOf, writeForwardAndLoss } from './forward.ts';
import { int, type Model } from './ir.ts';
import { optimise } from './optimise.ts';
import { writeClippedStep } from './sgd-step.ts';

/** A compiled graph and the layers whose values it takes and gives. */
export interface Artifact {
  /** Bytes of an .onnx file that stock onnxruntime runs. */
  readonly onnx: Uint8Array;
  readonly layers: readonly LayerSpec[];
}

/** One run of it is a client's whole local training; see `compileTraining` for its inputs and outputs. */
export type TrainingArtifact = Artifact;

/** Inputs: each layer by name, each data field by name. Outputs: `logits`, `loss`, and for transcription `output_lengths`. */
export type ForwardArtifact = Artifact;

/** Names of the inputs and outputs of a compiled training graph. */
export const trainingNames = {
  layer: (name: string) => `parameters/${name}`,
  updated: (name: string) => `updated/${name}`,
  field: (name: string) => `data/${name}`,
  order: 'batches/order',
  offsets: 'batches/offsets',
  learningRate: 'learning_rate',
  maxGradientNorm: 'max_gradient_norm',
  losses: 'losses',
  gradientNorms: 'gradient_norms',
} as const;

/**
 * Compiles local training (arXiv:2310.00098 Algorithm 1, client side) into one graph: a Loop whose every step gathers a mini-batch,
 * runs forward, loss and backward, clips the gradient globally to `max_gradient_norm` and takes an SGD step.
 *
 * Inputs: each layer, each data field of the whole client [examples, …], `batches/order` int64 (example indices, batch after
 * batch), `batches/offsets` int64 [steps + 1] (where each batch starts in it), `learning_rate` and `max_gradient_norm` float32 scalars.
 * Outputs: each updated layer, `losses` [steps], `gradient_norms` [steps] (before clipping).
 * @throws ModelError when the model cannot be differentiated
 */
export function compileTraining(model: Model, binding: Binding): TrainingArtifact {
  const layers = layersOf(model);
  if (layers.length === 0)
    throw new ModelError('the model has no float32 weights to train; keep weights as initializers when exporting');
  const b = new GraphBuilder();
  const carried = layers.map(({ name, shape }) => b.input(trainingNames.layer(name), 'float32', shape));
  const fields = fieldsOf(model, binding, 'examples');
  for (const { name, dtype, shape } of fields) b.input(trainingNames.field(name), dtype, shape);
  b.input(trainingNames.order, 'int64', ['visits']);
  b.input(trainingNames.offsets, 'int64', ['steps_and_one']);
  b.input(trainingNames.learningRate, 'float32', []);
  b.input(trainingNames.maxGradientNorm, 'float32', []);
  const steps = b.op('Sub', [b.op('Size', [trainingNames.offsets]), b.index(1)]);
  const body = writeStep(b, model, binding, layers, fields);
  const always = b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
  b.control('Loop', [steps, always, ...carried], { body: { kind: 'graph', value: body } }, [
    ...layers.map(({ name, shape }) => ({ name: trainingNames.updated(name), dtype: 'float32' as const, shape })),
    { name: trainingNames.losses, dtype: 'float32', shape: ['steps'] },
    { name: trainingNames.gradientNorms, dtype: 'float32', shape: ['steps'] },
  ]);
  const outputs = [
    ...layers.map(({ name }) => trainingNames.updated(name)),
    trainingNames.losses,
    trainingNames.gradientNorms,
  ];
  optimise(b, outputs);
  return { onnx: exportGraph(b.build('local_training', outputs)), layers };
}

/** The body of the loop: one local SGD step. */
function writeStep(
  outer: GraphBuilder,
  model: Model,
  binding: Binding,
  layers: readonly LayerSpec[],
  fields: readonly DataField[],
) {
  const b = outer.subgraph();
  const step = b.input('loop/step', 'int64', []);
  const condition = b.input('loop/continue', 'bool', []);
  // Under a prefix of their own: a user's layer may be called `learning_rate`.
  const weights = new Map(layers.map(({ name, shape }) => [name, b.input(`weights/${name}`, 'float32', shape)]));
  const batch = b.within('batch', () => writeBatch(b, step, fields));
  const { nodes, loss, logits, logitsGradient } = writeForwardAndLoss(b, model, binding, batch, weights);
  const gradients = differentiate(b, nodes, new Map([[logits, logitsGradient]]), new Set(weights.values()));
  const { updated, norm } = b.within('update', () => writeClippedStep(b, weights, gradients, trainingNames));
  const outputs = b.within('next', () =>
    [condition, ...updated, loss, norm].map((value) =>
      b.op('Identity', [value], {}, { outputNames: [b.unique('next')] }),
    ),
  );
  optimise(b, outputs);
  return b.build('local_step', outputs);
}

/** Cuts the step's mini-batch out of the client's data; sequences are cut to the longest of the batch. */
function writeBatch(b: GraphBuilder, step: string, fields: readonly DataField[]): Map<string, string> {
  const offset = (index: string) => b.op('Gather', [trainingNames.offsets, index], { axis: int(0) });
  const start = b.op('Unsqueeze', [step, b.axes([0])]);
  const chosen = b.op('Slice', [
    trainingNames.order,
    offset(start),
    offset(b.op('Add', [start, b.axes([1])])),
    b.axes([0]),
  ]);
  b.declare(chosen, { dtype: 'int64', shape: ['batch'] });
  const rows = new Map(
    fields.map(({ name }) => [name, b.op('Gather', [trainingNames.field(name), chosen], { axis: int(0) })]),
  );
  const sequences = [
    ['features', 'lengths'],
    ['targets', 'target_lengths'],
  ] as const;
  for (const [sequence, lengths] of sequences) {
    const padded = rows.get(sequence);
    if (!padded) continue;
    const longest = b.op('Cast', [b.op('ReduceMax', [rows.get(lengths)!, b.axes([0])])], { to: int(7) });
    const cut = b.op('Slice', [padded, b.axes([0]), longest, b.axes([1])]);
    b.declare(cut, b.type(padded));
    rows.set(sequence, cut);
  }
  return rows;
}

/** Compiles the forward pass with its loss, weights as inputs, for evaluation. */
export function compileForward(model: Model, binding: Binding): ForwardArtifact {
  const layers = layersOf(model);
  const b = new GraphBuilder();
  const weights = new Map(layers.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const fields = new Map(
    fieldsOf(model, binding, 'batch').map(({ name, dtype, shape }) => [name, b.input(name, dtype, shape)]),
  );
  const { logits, loss, outputLengths } = writeForwardAndLoss(b, model, binding, fields, weights);
  const outputs = [
    b.op('Identity', [logits], {}, { outputNames: ['logits'] }),
    b.op('Identity', [loss], {}, { outputNames: ['loss'] }),
    ...(outputLengths ? [b.op('Cast', [outputLengths], { to: int(6) }, { outputNames: ['output_lengths'] })] : []),
  ];
  optimise(b, outputs);
  return { onnx: exportGraph(b.build('forward', outputs)), layers };
}

function fieldsOf(model: Model, binding: Binding, examples: string): DataField[] {
  const main = Object.entries(binding.inputs).find(([, field]) => field === 'image' || field === 'features')!;
  const shape = model.graph.inputs.find(({ name }) => name === main[0])!.shape;
  return dataFields(binding.objective, examples, shape.slice(1));
}
