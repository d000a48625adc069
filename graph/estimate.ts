import { ModelError } from '../errors.ts';
import { ParameterLayout } from '../params/layout.ts';
import { GraphBuilder, namesRead } from './builder.ts';
import { differentiate } from './differentiate.ts';
import { knownCount } from './dims.ts';
import { layersOf } from './forward.ts';
import { writeForward } from './import.ts';
import type { DataType, Dim, Graph, Model, Node, ValueType } from './ir.ts';
import { operatorOf } from './operators/registry.ts';
import { optimise, optimiseForward } from './optimise.ts';

/** Sizes that a model leaves open, as an estimate takes them. */
export interface AssumedSizes {
  /** Examples of a mini-batch: every symbolic first dimension of an input. */
  readonly batch: number;
  /** Every other symbolic dimension of an input, such as frames. */
  readonly length: number;
}

/** What one local step on one mini-batch costs. */
export interface StepEstimate {
  /** Weights, gradients, updated weights, stored tensors that are not trained, and the activations that are alive at once at most. */
  readonly bytes: number;
  readonly activationBytes: number;
  /** Of matrix products and convolutions, per example: forward pass, and forward and backward together. */
  readonly forwardFlop: number;
  readonly trainingFlop: number;
}

/**
 * Estimates a training step from the shapes of its values, without running it.
 * @throws ModelError when the model cannot be differentiated
 */
export function estimateStep(model: Model, sizes: AssumedSizes): StepEstimate {
  const { b, forward, step } = writeStep(model, sizes);
  const typeOf = (name: string) => b.type(name);
  const parameters = new ParameterLayout(layersOf(model)).size;
  const activationBytes = peakBytes(step, typeOf);
  return {
    bytes: 12 * parameters + storedBytes(step, model) + activationBytes,
    activationBytes,
    forwardFlop: productFlop(forward, typeOf) / sizes.batch,
    trainingFlop: productFlop(step, typeOf) / sizes.batch,
  };
}

/**
 * Forward and backward pass of a model, whatever its loss.
 * @param sizes what the open sizes are; without them they stay open
 * @throws ModelError when the model cannot be differentiated, or the sizes do not suit it
 */
export function writeStep(model: Model, sizes?: AssumedSizes): { b: GraphBuilder; forward: Graph; step: Graph } {
  const layers = layersOf(model);
  if (layers.length === 0)
    throw new ModelError('the model has no float32 weights to train; keep weights as float32 initializers');
  const b = new GraphBuilder();
  const names = new Map(layers.map(({ name, shape }) => [name, b.input(name, 'float32', shape)]));
  const wanted = new Set(names.values());
  for (const { name, dtype, shape } of model.graph.inputs) {
    const fixed = shape.map((size, axis) =>
      typeof size === 'number' || !sizes ? size : axis === 0 ? sizes.batch : sizes.length,
    );
    names.set(name, b.input(name, dtype, fixed));
  }
  const imported = writeForward(b, model, names);
  const output = model.graph.outputs.find(({ dtype }) => dtype === 'float32');
  if (!output)
    throw new ModelError('the model has no floating-point output to train; export it with its logits as output');
  const logits = names.get(output.name)!;
  const nodes = optimiseForward(b, imported, [logits]);
  const forward = b.build('forward', [logits]);
  const seed = b.input(b.unique('seed'), 'float32', b.shape(logits));
  const gradients = [...differentiate(b, nodes, new Map([[logits, seed]]), wanted, sizes?.batch).values()];
  optimise(b, gradients);
  return { b, forward, step: b.build('step', gradients) };
}

/** The model's tensors that a step reads and does not train: frozen weights and tables. */
function storedBytes({ constants }: Graph, model: Model): number {
  return [...constants].reduce(
    (sum, [name, { data }]) => sum + (model.graph.constants.has(name) ? data.byteLength : 0),
    0,
  );
}

const elementBytes: Readonly<Record<DataType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  int64: 8,
  int32: 4,
  uint32: 4,
  bool: 1,
  uint8: 1,
  int8: 1,
  string: 0,
};

const isView = (node: Node): boolean => operatorOf(node.op)?.view === true;

/** The most bytes of node outputs alive at once, in the order of the nodes; the graph's outputs are left out. */
function peakBytes(graph: Graph, typeOf: (name: string) => ValueType): number {
  const owner = new Map<string, string>();
  const owned = (name: string) => owner.get(name) ?? name;
  const lastRead = new Map<string, number>();
  for (const [i, node] of graph.nodes.entries()) {
    if (isView(node)) owner.set(node.outputs[0]!, owned(node.inputs[0]!));
    for (const name of namesRead(node)) lastRead.set(owned(name), i);
  }
  const kept = new Set(graph.outputs.map(({ name }) => owned(name)));
  const freed = new Map<number, string[]>();
  for (const [name, at] of lastRead) freed.set(at, [...(freed.get(at) ?? []), name]);
  const alive = new Map<string, number>();
  let bytes = 0;
  let peak = 0;
  for (const [i, node] of graph.nodes.entries()) {
    for (const name of isView(node) ? [] : node.outputs) {
      if (name === '' || kept.has(name)) continue;
      const { dtype, shape } = typeOf(name);
      alive.set(name, elementBytes[dtype] * knownCount(shape));
      bytes += alive.get(name)!;
    }
    peak = Math.max(peak, bytes);
    for (const name of freed.get(i) ?? []) {
      bytes -= alive.get(name) ?? 0;
      alive.delete(name);
    }
  }
  return peak;
}

/** Multiplications and additions of all matrix products and convolutions. */
function productFlop(graph: Graph, typeOf: (name: string) => ValueType): number {
  return graph.nodes.reduce((sum, node) => sum + 2 * multiplications(node, (name) => typeOf(name).shape), 0);
}

function multiplications(node: Node, shapeOf: (name: string) => readonly Dim[]): number {
  if (node.op === 'Scan') return scannedMultiplications(node, shapeOf);
  return operatorOf(node.op)?.multiplications?.(node, shapeOf) ?? 0;
}

/** The products of rows with a matrix outside in a Scan over steps, as gradients through time have them. */
function scannedMultiplications(node: Node, shapeOf: (name: string) => readonly Dim[]): number {
  const { body } = node.attributes;
  if (body?.kind !== 'graph') return 0;
  const steps = shapeOf(node.inputs.at(-1)!)[0]!;
  const rows = body.value.inputs[0]!.shape[0]!;
  const matrices = body.value.nodes.filter(({ op }) => op === 'MatMul').map(({ inputs }) => shapeOf(inputs[1]!));
  return matrices.reduce((sum, matrix) => sum + knownCount([steps, rows, ...matrix]), 0);
}
