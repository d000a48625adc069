import { Tensor } from 'onnxruntime-node';
import { ModelError } from '../errors.ts';
import { elementCount, type Model, type Value } from '../graph/ir.ts';
import { encodeModel } from '../graph/onnx/write.ts';
import { fixedBatch, openBatch } from '../graph/open-batch.ts';
import { namedStream } from '../random/stream.ts';
import { type RunResults, runEach } from './run-once.ts';

/** A model as training needs it, and what a user should know of that. */
export interface ModelForAnyBatch {
  readonly model: Model;
  readonly notes: readonly string[];
}

/** Random examples that the opened model is tried with. */
const tried = [0, 1, 2];
/** Frames, or whatever else a model leaves open, of the examples that it is tried with: the first that the file takes. */
const lengths = [32, 12, 100];
/** Most that results may differ, of the largest. */
const tolerance = 1e-4;

/**
 * Opens the batch axis of a model that was exported for batches of one size, and makes sure that it gives for several examples what the file
 * gives for each. A model whose axis is open, or cannot be opened, stays as it is: what trains it says why it cannot.
 */
export async function forAnyBatch(model: Model): Promise<ModelForAnyBatch> {
  const size = fixedBatch(model);
  const opened = size === undefined ? undefined : openBatch(model, size);
  if (size === undefined || !opened || !(await givesTheSame(opened, model, size))) return { model, notes: [] };
  const note = `the file fixes a batch size of ${size}; dpfl opened it, and ${tried.length} random examples together gave what each gives in the file`;
  return { model: opened, notes: [note] };
}

async function givesTheSame(opened: Model, given: Model, size: number): Promise<boolean> {
  const { inputs, outputs } = opened.graph;
  for (const length of lengths) {
    const alone = await resultsOf(
      given,
      tried.map((example) => new Array<number>(size).fill(example)),
      length,
    );
    // Random examples may be none that the model takes, and some lengths too long or too short for it.
    if (!alone) continue;
    const [together] = (await resultsOf(opened, [tried], length)) ?? [];
    if (!together) return false;
    return alone.every((results, example) =>
      outputs.every(({ name, shape }) =>
        isPart(together[name]!, shape.indexOf(inputs[0]!.shape[0]!), example, results[name]!, size),
      ),
    );
  }
  return false;
}

/** What a model gives for each of some batches of examples; undefined when it does not run. */
async function resultsOf(
  model: Model,
  batches: readonly (readonly number[])[],
  length: number,
): Promise<RunResults[] | undefined> {
  try {
    const feeds = batches.map((examples) => feedsOf(model, examples, length));
    return await runEach(encodeModel(model), feeds);
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

function feedsOf({ graph }: Model, examples: readonly number[], length: number): Record<string, Tensor> {
  const inputs = graph.inputs.map((input) => ({
    ...input,
    sizes: input.shape.slice(1).map((size) => (typeof size === 'number' ? size : length)),
  }));
  // A number per example is a length.
  const longest = Math.min(length, ...inputs.flatMap(({ sizes }) => sizes.slice(0, 1)));
  return Object.fromEntries(inputs.map((input) => [input.name, tensorOf(input, examples, longest)]));
}

function tensorOf(
  { name, dtype, sizes }: Value & { readonly sizes: readonly number[] },
  examples: readonly number[],
  longest: number,
): Tensor {
  const dims = [examples.length, ...sizes];
  const values = examples.flatMap((example) => {
    const stream = namedStream('any batch', name, example);
    const draw = () =>
      dtype === 'float32' ? 2 * stream.uniform() - 1 : sizes.length === 0 ? longest : stream.integer(2);
    return Array.from({ length: elementCount(sizes) }, draw);
  });
  switch (dtype) {
    case 'float32':
      return new Tensor('float32', Float32Array.from(values), dims);
    case 'int64':
      return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
    case 'int32':
      return new Tensor('int32', Int32Array.from(values), dims);
    case 'bool':
      return new Tensor('bool', Uint8Array.from(values), dims);
    default:
      throw new ModelError(`input '${name}' is of type ${dtype}`);
  }
}

type Output = RunResults[string];

/** Whether a result that holds all examples along an axis holds one of them as it comes alone, `size` times. */
function isPart(together: Output, axis: number, example: number, alone: Output, size: number): boolean {
  const sizes = (examples: number) => together.dims.with(axis, examples).join();
  if (sizes(tried.length) !== together.dims.join() || sizes(size) !== alone.dims.join()) return false;
  const width = elementCount(together.dims.slice(axis + 1));
  const values = Array.from(alone.data, Number);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return values.every((value, i) => {
    const row = Math.floor(i / (size * width)) * tried.length + example;
    return Math.abs(value - Number(together.data[row * width + (i % width)])) <= tolerance * largest;
  });
}
