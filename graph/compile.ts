import { ModelError } from '../errors.ts';
import { type LayerSpec, ParameterLayout } from '../params/layout.ts';
import type { Binding, DataField } from './binding.ts';
import { GraphBuilder } from './builder.ts';
import { ClientGroups, clientsPerRun } from './client-groups.ts';
import { ClientVisits } from './client-visits.ts';
import { deferUpdates, largestGatheredBatch } from './deferred-updates.ts';
import { differentiate } from './differentiate.ts';
import { activeDropouts, DropoutDraws } from './dropout.ts';
import { exportGraph } from './export.ts';
import { mul } from './expressions.ts';
import { layersOf, writeForwardAndLoss } from './forward.ts';
import { int, type Model } from './ir.ts';
import { hoistInvariants } from './loop-invariants.ts';
import type { CarriedLayer, LoopState } from './loop-state.ts';
import { writeMiniBatch } from './mini-batch.ts';
import { optimise } from './optimise.ts';
import type { ChannelBlock } from './rewrites/blocked-convolutions.ts';
import { writeClippedRate, writeStep } from './sgd-step.ts';
import { hoistStepScalars } from './step-scalars.ts';
import { storeKernels } from './stored-kernels.ts';

/** A compiled graph and the layers whose values it takes and gives. */
export interface Artifact {
  /** Bytes of an .onnx file that stock onnxruntime runs. */
  readonly onnx: Uint8Array;
  readonly layers: readonly LayerSpec[];
}

export interface TrainingOptions {
  /** Whether gradients are clipped to `max_gradient_norm`; without, the graph has no such input. */
  readonly clipped?: boolean;
  /** Largest mini-batch to expect: what pays for small ones does not for large ones. Default: small. No result depends on it but for rounding. */
  readonly batchSize?: number;
  /** Whether to write the graph for several clients in one run where that is faster: for small models without convolutions. Default: no. */
  readonly grouped?: boolean;
  /** Channels that convolutions take at once: the graph then runs right on processors with this block alone. Default: on all. */
  readonly block?: ChannelBlock | undefined;
}

/** One run of it is a client's whole local training; see `compileTraining` for its inputs and outputs. */
export type TrainingArtifact = Artifact;

/**
 * Inputs: each layer by name, each data field by name. Outputs: `logits` (unless the model gives nothing but its loss), `loss`, and for
 * transcription `output_lengths`, for CTC `infeasible` (targets that do not fit into their frames).
 */
export type ForwardArtifact = Artifact;

/** Names of the inputs and outputs of a compiled training graph. */
export const trainingNames = {
  layer: (name: string) => `parameters/${name}`,
  isLayer: (value: string) => value.startsWith('parameters/'),
  delta: (name: string) => `delta/${name}`,
  field: (name: string) => `data/${name}`,
  isField: (value: string) => value.startsWith('data/'),
  order: 'batches/order',
  offsets: 'batches/offsets',
  parts: 'batches/parts',
  learningRate: 'learning_rate',
  maxGradientNorm: 'max_gradient_norm',
  losses: 'losses',
  infeasible: 'infeasible_targets',
  dropoutSeed: 'dropout/seed',
} as const;

/**
 * Compiles local training (arXiv:2310.00098 Algorithm 1, client side) into one graph: a Loop whose every step gathers a mini-batch,
 * runs forward, loss and backward, clips the gradient globally to `max_gradient_norm` and takes an SGD step.
 *
 * Inputs: each layer, each data field of the whole client [examples, …], `batches/order` int32 [visits] (example indices, batch after
 * batch), `batches/offsets` int64 [steps + 1] (where each batch starts in it), `learning_rate` and `max_gradient_norm` float32 scalars.
 * A model with dropout has one more input, `dropout/seed` uint32 [2], which decides all masks.
 * Outputs: each layer's delta (weight before − weight after, so that no other code passes over the parameters for it), `losses` [steps],
 * and for CTC `infeasible_targets` [steps] (how many targets did not fit into their frames, and were skipped).
 * Of several clients (`grouped`) the mini-batches have the same sizes: the fields hold the examples of all, `batches/order` is
 * [clients, visits] and `dropout/seed` [clients, 2], deltas come as [clients, …] and `losses` as [steps, clients].
 * @throws ModelError when the model cannot be differentiated
 */
export function compileTraining(
  model: Model,
  binding: Binding,
  { clipped = true, grouped = false, ...options }: TrainingOptions = {},
): TrainingArtifact {
  const layers = layersOf(model);
  if (layers.length === 0)
    throw new ModelError(
      'the model has no float32 weights to train; keep weights as float32 initializers when exporting',
    );
  const b = new GraphBuilder();
  for (const { name, shape } of layers) b.input(trainingNames.layer(name), 'float32', shape);
  const fields = fieldsOf(binding, 'examples');
  for (const { name, dtype, shape } of fields) b.input(trainingNames.field(name), dtype, shape);
  b.input(trainingNames.order, 'int32', ['visits']);
  b.input(trainingNames.offsets, 'int64', ['steps_and_one']);
  b.input(trainingNames.learningRate, 'float32', []);
  if (clipped) b.input(trainingNames.maxGradientNorm, 'float32', []);
  if (activeDropouts(model).length > 0) b.input(trainingNames.dropoutSeed, 'uint32', [2]);
  const steps = b.op('Sub', [b.op('Size', [trainingNames.offsets]), b.index(1)]);
  const { body, builder, states, carried } = writeLocalStep(b, model, binding, layers, fields, {
    clipped,
    ...options,
  });
  const { losses, infeasible, order, dropoutSeed } = trainingNames;
  const perStep = [losses, ...(binding.loss.kind === 'ctc' ? [infeasible] : [])];
  const always = b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(1) });
  const final = (state: string) => `final/${state}`;
  b.control(
    'Loop',
    [steps, always, ...states.map(({ initial }) => initial)],
    { body: { kind: 'graph', value: body } },
    [
      ...body.inputs.slice(2).map(({ name, dtype, shape }) => ({ name: final(name), dtype, shape })),
      ...perStep.map((name) => ({ name, dtype: 'float32' as const, shape: ['steps'] })),
    ],
  );
  for (const { name } of layers) {
    const delta = trainingNames.delta(name);
    const layer = carried.get(name);
    if (layer) layer.writeDelta(final, delta);
    else b.op('Sub', [trainingNames.layer(name), final(weightName(name))], {}, { outputNames: [delta] });
  }
  const outputs = [...layers.map(({ name }) => trainingNames.delta(name)), ...perStep];
  optimise(b, outputs);
  const several = grouped && isWorthGrouping(binding, layers, options);
  const own = b.inputs.map(({ name }) => name).filter((name) => name === order || name === dropoutSeed);
  const whole = (several && new ClientGroups(own).write(b, builder, outputs)) || b;
  return { onnx: exportGraph(whole.build('local_training', outputs)), layers };
}

/** Small models, whose steps gather rows instead of writing weights. CTC has operators that no rule knows. */
function isWorthGrouping(binding: Binding, layers: readonly LayerSpec[], { batchSize = 1 }: TrainingOptions): boolean {
  const { size } = new ParameterLayout(layers);
  return binding.loss.kind !== 'ctc' && batchSize <= largestGatheredBatch && clientsPerRun(size) > 1;
}

/** A layer's weight inside the loop. Under a prefix of their own: a user's layer may be called `learning_rate`. */
const weightName = (layer: string) => `weights/${layer}`;

/** The body of the loop: one local SGD step. */
function writeLocalStep(
  outer: GraphBuilder,
  model: Model,
  binding: Binding,
  layers: readonly LayerSpec[],
  fields: readonly DataField[],
  { clipped, batchSize = 1, block }: TrainingOptions,
) {
  const b = outer.subgraph();
  const step = b.input('loop/step', 'int64', []);
  const condition = b.input('loop/continue', 'bool', []);
  const weights = new Map(layers.map(({ name, shape }) => [name, b.input(weightName(name), 'float32', shape)]));
  const padded = binding.objective === 'transcription';
  const batch = b.within('batch', () => writeMiniBatch(outer, b, step, trainingNames, fields, padded));
  const dropouts = activeDropouts(model).length;
  const dropout =
    dropouts > 0
      ? b.within('dropout', () => DropoutDraws.write(b, trainingNames.dropoutSeed, step, dropouts))
      : undefined;
  const { nodes, loss, seeds, infeasible } = writeForwardAndLoss(b, model, binding, batch.rows, weights, dropout);
  const { learningRate, maxGradientNorm } = trainingNames;
  // Gradients are linear in what they start from: nothing else has to be brought to the rate, where no norm comes between.
  const given = clipped
    ? seeds
    : new Map([...seeds].map(([output, seed]) => [output, mul(b, seed, learningRate)] as const));
  const gradients = differentiate(b, nodes, given, new Set(weights.values()), batchSize);
  const updated = b.within('update', () => {
    const rate = clipped ? writeClippedRate(b, weights, gradients, { learningRate, maxGradientNorm }) : undefined;
    return writeStep(b, weights, gradients, rate);
  });
  const steps = layers.map(({ name }, i) => ({
    layer: name,
    initial: trainingNames.layer(name),
    weight: weights.get(name)!,
    updated: updated[i]!,
  }));
  const visits = new ClientVisits(outer, b, batch, trainingNames);
  const carried = b.within('update', (): ReadonlyMap<string, CarriedLayer> => {
    const deferred = batchSize <= largestGatheredBatch ? deferUpdates(outer, b, steps, visits, batchSize) : [];
    return new Map([...deferred, ...storeKernels(outer, b, steps)]);
  });
  visits.hoist();
  const states = steps.flatMap(({ layer, weight, initial, updated: next }): readonly LoopState[] => {
    return carried.get(layer)?.states ?? [{ name: weight, initial, next }];
  });
  const inputs = new Map(b.inputs.map((input) => [input.name, input]));
  b.inputs.splice(2, b.inputs.length, ...states.map(({ name }) => inputs.get(name)!));
  const results = [...states.map(({ next }) => next), loss, ...(infeasible ? [infeasible] : [])];
  const outputs = [condition, ...b.within('next', () => separate(b, results))];
  optimise(b, outputs, { block, batchSize });
  hoistStepScalars(outer, b, step, batch, outputs);
  hoistInvariants(outer, b, outputs);
  return { body: b.build('local_step', outputs), builder: b, states, carried };
}

/** A graph gives no value out twice, nor one that it was given: those are copied. */
function separate(b: GraphBuilder, values: readonly string[]): string[] {
  const own = new Set(b.nodes.flatMap(({ outputs }) => outputs));
  return values.map((value) => {
    if (own.delete(value)) return value;
    return b.op('Identity', [value], {}, { outputNames: [b.unique('next')] });
  });
}

/** Compiles the forward pass with its loss, weights as inputs, for evaluation. */
export function compileForward(model: Model, binding: Binding): ForwardArtifact {
  const layers = layersOf(model);
  const b = new GraphBuilder();
  const weights = new Map(layers.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const fields = new Map(
    fieldsOf(binding, 'batch').map(({ name, dtype, shape }) => [name, b.input(name, dtype, shape)]),
  );
  const { logits, loss, outputLengths, infeasible } = writeForwardAndLoss(b, model, binding, fields, weights);
  const named = (name: string, value: string | undefined) =>
    value === undefined ? [] : [b.op('Identity', [value], {}, { outputNames: [name] })];
  // What a model gives beside a loss of its own is scored if it has the form of logits.
  const rank = binding.objective === 'transcription' ? 3 : 2;
  const scored = binding.loss.kind !== 'output' || (logits !== undefined && b.rank(logits) === rank);
  const outputs = [
    ...named('logits', scored ? logits : undefined),
    ...named('loss', loss),
    ...(outputLengths ? [b.op('Cast', [outputLengths], { to: int(6) }, { outputNames: ['output_lengths'] })] : []),
    ...named('infeasible', infeasible),
  ];
  optimise(b, outputs);
  return { onnx: exportGraph(b.build('forward', outputs)), layers };
}

/** The data fields as a graph holds them, the first dimension counting examples. */
function fieldsOf({ fields }: Binding, examples: string): DataField[] {
  return fields.map((field) => ({ ...field, shape: [examples, ...field.shape] }));
}
