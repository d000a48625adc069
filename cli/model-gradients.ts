import * as ort from 'onnxruntime-node';
import { ConfigError, ModelError } from '../errors.ts';
import { compileGradients, type GivenType, lossInputs } from '../graph/compile-gradients.ts';
import { type Dim, elementCount, type Model } from '../graph/ir.ts';
import { encodeModel } from '../graph/onnx/write.ts';
import { type AdaptationOptions, readAdaptedModel } from './adapted-model-file.ts';
import { type CaseTensor, type GradientCase, readGradientCase } from './gradient-case.ts';
import { runOnce } from './run-once.ts';

/** What `dpfl model grad` writes. */
export interface ModelGradients {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: readonly number[] }>>;
}

/** The same text as JSON.stringify makes, in pieces: of large models it is longer than a string can be. */
export function* gradientsJson({ loss, gradients }: ModelGradients): Generator<string> {
  yield `{"loss":${JSON.stringify(loss)},"gradients":{`;
  let separator = '';
  for (const [name, { dims, data }] of Object.entries(gradients)) {
    yield `${separator}${JSON.stringify(name)}:{"dims":${JSON.stringify(dims)},"data":[`;
    for (let start = 0; start < data.length; start += pieceLength) {
      yield `${start === 0 ? '' : ','}${data.slice(start, start + pieceLength).join(',')}`;
    }
    yield ']}';
    separator = ',';
  }
  yield '}}\n';
}

/** Numbers in a piece of JSON. */
const pieceLength = 65536;

/** Loss and gradients of a model file on a case file. @throws DpflError with one line that says what does not fit */
export async function modelGradientsOfFiles(
  modelFile: string,
  caseFile: string,
  adaptation?: AdaptationOptions,
): Promise<ModelGradients> {
  return modelGradients(readAdaptedModel(modelFile, adaptation).model, readGradientCase(caseFile), caseFile);
}

/**
 * One forward and backward pass. A weight the loss does not depend on has gradient 0.
 * @param source names the case in errors
 * @param sizes whether the graph is compiled for the sizes of this case, or for those that the model leaves open
 */
export async function modelGradients(
  model: Model,
  given: GradientCase,
  source: string,
  sizes: 'fixed' | 'symbolic' = 'fixed',
): Promise<ModelGradients> {
  requireInputs(model, given, source);
  if (model.weights.length === 0)
    throw new ModelError(
      'the model has no float32 weights to train; keep weights as float32 initializers when exporting',
    );
  const values = new Map(Object.entries(given.inputs));
  for (const [name, value] of await lossValues(model, given, source)) values.set(name, value);
  const declared = new Map(sizes === 'symbolic' ? model.graph.inputs.map(({ name, shape }) => [name, shape]) : []);
  const types = new Map(
    [...values].map(([name, { type, dims }]): [string, GivenType] => [
      name,
      { dtype: type, shape: declared.get(name) ?? dims },
    ]),
  );
  const artifact = compileGradients(model, given.loss, types);
  const feeds = feedsOf(values);
  for (const { name, shape } of artifact.layers) {
    feeds[name] = new ort.Tensor('float32', model.graph.constants.get(name)!.data as Float32Array, shape);
  }
  const results = await runOnce(artifact.onnx, feeds);
  const loss = Number(results[artifact.loss]!.data[0]);
  const gradients = artifact.layers.map(({ name, shape }) => {
    const output = artifact.gradients.get(name);
    const data = output ? Array.from(results[output]!.data as Float32Array) : zeros(shape);
    return [name, { dims: [...shape], data }] as const;
  });
  requireFinite(loss, gradients);
  return { loss, gradients: Object.fromEntries(gradients) };
}

const zeros = (shape: readonly number[]): number[] => Array.from({ length: elementCount(shape) }, () => 0);

function requireInputs(model: Model, { inputs }: GradientCase, source: string): void {
  for (const { name, dtype, shape } of model.graph.inputs) {
    const value = inputs[name];
    if (!value)
      throw new ConfigError(`${source}: inputs.${name}: missing; the model reads ${dtype} [${shape.join(', ')}]`);
    const real = dtype.startsWith('float');
    if (real !== (value.type === 'float32'))
      throw new ConfigError(`${source}: inputs.${name}: has type ${value.type}, but the model reads ${dtype}`);
    const fits = value.dims.length === shape.length && shape.every((size, i) => sameSize(size, value.dims[i]!));
    if (!fits)
      throw new ConfigError(
        `${source}: inputs.${name}: has dims [${value.dims.join(', ')}], but the model reads [${shape.join(', ')}]`,
      );
  }
  const known = new Set(model.graph.inputs.map(({ name }) => name));
  const extra = Object.keys(inputs).find((name) => !known.has(name));
  if (extra)
    throw new ConfigError(`${source}: inputs.${extra}: the model has no such input; it has ${[...known].join(', ')}`);
}

const sameSize = (declared: Dim, size: number): boolean => typeof declared === 'string' || declared === size;

/** The values that only the loss reads, with the lengths of CTC filled in where the case leaves them out. */
async function lossValues(model: Model, given: GradientCase, source: string): Promise<Map<string, CaseTensor>> {
  const { kind, target, output } = given.loss;
  if (kind !== 'ctc' && kind !== 'cross-entropy') return new Map([[lossInputs.target, target]]);
  const dims = await outputDims(model, given);
  if (kind === 'cross-entropy') {
    requireClasses(target, dims, source);
    return new Map([[lossInputs.target, target]]);
  }
  const [batch] = target.dims as [number, number];
  if (dims.length !== 3 || (dims[0] !== batch && dims[1] !== batch))
    throw new ConfigError(
      `${source}: loss.target: has ${batch} rows, but output '${output}' is [${dims}]; it must be [batch, frames, symbols]`,
    );
  const frames = dims[0] === batch ? dims[1]! : dims[0]!;
  const symbols = dims[2]!;
  const foreign = target.data.find((symbol) => symbol >= symbols || symbol < 0);
  if (foreign !== undefined)
    throw new ConfigError(
      `${source}: loss.target: symbol ${foreign} is outside 0 … ${symbols - 1} (0 is the blank and pads)`,
    );
  const lengths = given.loss.input_lengths ?? vector(Array.from({ length: batch }, () => frames));
  const long = lengths.data.find((length) => length > frames);
  if (long !== undefined)
    throw new ConfigError(`${source}: loss.input_lengths: ${long} is more than the ${frames} frames of '${output}'`);
  return new Map([
    [lossInputs.target, padded(target)],
    [lossInputs.inputLengths, lengths],
    [lossInputs.targetLengths, given.loss.target_lengths ?? vector(labelCounts(target))],
  ]);
}

/** CTC reads at least one column. */
function padded(target: CaseTensor): CaseTensor {
  const [batch, length] = target.dims as [number, number];
  return length > 0 ? target : { ...target, dims: [batch, 1], data: Array.from({ length: batch }, () => 0) };
}

const vector = (data: number[]): CaseTensor => ({ dims: [data.length], type: 'int64', data });

/** Labels before the padding. */
function labelCounts({ dims, data }: CaseTensor): number[] {
  const [batch, length] = dims as [number, number];
  return Array.from({ length: batch }, (_, row) => {
    const labels = data.slice(row * length, (row + 1) * length);
    return labels.findLastIndex((label) => label !== 0) + 1;
  });
}

/** Classes lie below the number of classes, whichever axis holds them; −100 marks positions to leave out. */
function requireClasses({ dims: given, data }: CaseTensor, dims: readonly number[], source: string): void {
  const last = given.length === dims.length - 1 && given.every((size, i) => size === dims[i]);
  const classes = (last ? dims.at(-1) : dims[1]) ?? 0;
  const foreign = data.find((label) => label !== -100 && (label < 0 || label >= classes));
  if (foreign !== undefined)
    throw new ConfigError(
      `${source}: loss.target: class ${foreign} is outside 0 … ${classes - 1} (−100 leaves a position out)`,
    );
}

/** Sizes of the output the loss is taken of, by running the model as it is. */
async function outputDims(model: Model, given: GradientCase): Promise<readonly number[]> {
  const { output } = given.loss;
  if (!model.graph.outputs.some(({ name }) => name === output)) {
    const known = model.graph.outputs.map(({ name }) => `'${name}'`).join(', ');
    throw new ModelError(`loss.output: the model has no output '${output}'; its outputs are ${known}`);
  }
  const types = new Map(model.graph.inputs.map(({ name, dtype }) => [name, dtype]));
  const feeds = Object.fromEntries(
    Object.entries(given.inputs).map(([name, { dims, type, data }]) => {
      const dtype = types.get(name);
      if (dtype === 'int32') return [name, new ort.Tensor('int32', Int32Array.from(data), dims)];
      if (dtype === 'bool') return [name, new ort.Tensor('bool', Uint8Array.from(data), dims)];
      return [name, tensorOf({ dims, type, data })];
    }),
  );
  const results = await runOnce(encodeModel(model), feeds);
  return results[output]!.dims;
}

function tensorOf({ dims, type, data }: CaseTensor): ort.Tensor {
  if (type === 'int64') return new ort.Tensor('int64', BigInt64Array.from(data, BigInt), dims);
  return new ort.Tensor('float32', Float32Array.from(data), dims);
}

function feedsOf(values: ReadonlyMap<string, CaseTensor>): Record<string, ort.Tensor> {
  return Object.fromEntries([...values].map(([name, value]) => [name, tensorOf(value)]));
}

function requireFinite(
  loss: number,
  gradients: readonly (readonly [string, { readonly data: readonly number[] }])[],
): void {
  if (!Number.isFinite(loss))
    throw new ModelError(`the loss is ${loss}; check the inputs and the weights for overflow`);
  const broken = gradients.find(([, { data }]) => !data.every(Number.isFinite));
  if (broken) throw new ModelError(`the gradient of '${broken[0]}' is not finite; check the inputs for overflow`);
}
