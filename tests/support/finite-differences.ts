import { describe, expect, test } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../graph/builder.ts';
import { differentiate } from '../../graph/differentiate.ts';
import { type DataType, type Dim, elementCount, type Tensor } from '../../graph/ir.ts';
import { encodeModel } from '../../graph/onnx/write.ts';
import { namedStream } from '../../random/stream.ts';
import type { CaseInput, Given, GradientCase, OracleTensor, Variable } from './gradient-case.ts';

type Real = 'float32' | 'float64';

/**
 * Steps and tolerances of the fourth-order central difference (f(x−2h) − 8f(x−h) + 8f(x+h) − f(x+2h)) / 12h, whose truncation error is
 * h⁴/30 · |f⁽⁵⁾|. Tolerances are relative to the largest entry of each gradient.
 * - float64 forward: truncation 1e-13 at h = 1e-3, rounding 1e-12; what is left is the float32 gradient itself, a few ulps of sums.
 * - float32 forward: truncation 2e-7 at h = 0.05; rounding 1.5 · 6e-8 · |f| / h = 2e-6 · |f|, with |f| up to about 10.
 * - linear in each input: no truncation, so a step of 1 leaves only rounding.
 */
const precisions = {
  float64: { step: 1e-3, tolerance: 1e-5 },
  float32: { step: 0.05, tolerance: 5e-5 },
  linear: { step: 1, tolerance: 1e-5 },
} as const;

/** Declares one test per case: every gradient of the operator equals the finite difference. */
export function describeGradients(family: string, cases: readonly GradientCase[]): void {
  describe(`gradients of ${family} equal finite differences`, () => {
    test.each(cases.map((gradientCase) => ({ ...gradientCase, name: `${gradientCase.op}: ${gradientCase.title}` })))(
      '$name',
      async (gradientCase) => {
        for (const { input, error, tolerance } of await gradientErrors(gradientCase)) {
          expect({ input, error, within: error < tolerance }).toEqual({ input, error, within: true });
        }
      },
    );
  });
}

/** The largest difference between each computed gradient and its finite difference, relative to the largest entry. */
export async function gradientErrors(
  gradientCase: GradientCase,
): Promise<{ input: number; error: number; tolerance: number }[]> {
  const { forward, real } = await openForward(gradientCase);
  const { step, tolerance } = gradientCase.linear ? precisions.linear : precisions[real];
  const outputs = await forward(gradientCase.inputs);
  const cotangents = new Map(
    cotangentsOf(gradientCase).map((output) => {
      const { dims } = outputs[`output_${output}`]!;
      const stream = namedStream('cotangent', gradientCase.title, output);
      return [output, { dims, values: Array.from({ length: elementCount(dims) }, () => 2 * stream.uniform() - 1) }];
    }),
  );
  const projected = async (inputs: readonly CaseInput[]): Promise<number> => {
    const results = await forward(inputs);
    let sum = 0;
    for (const [output, { values }] of cotangents) {
      const { data } = results[`output_${output}`]!;
      for (let i = 0; i < values.length; i++) sum += values[i]! * Number(data[i]);
    }
    return sum;
  };

  const gradients = await runBackward(gradientCase, cotangents);
  const errors = [];
  for (const [index, input] of gradientCase.inputs.entries()) {
    if (!isVariable(input)) continue;
    const gradient = gradients.get(index)!;
    expect(gradient.dims).toEqual(input.dims);
    let difference = 0;
    let largest = 0;
    for (let i = 0; i < input.values.length; i++) {
      const at = (offset: number) =>
        projected(gradientCase.inputs.map((other, j) => (j === index ? moved(input, i, offset) : other)));
      const near = (await at(step)) - (await at(-step));
      const far = (await at(2 * step)) - (await at(-2 * step));
      const expected = (8 * near - far) / (12 * step);
      const found = gradient.data[i]!;
      difference = Number.isFinite(found) ? Math.max(difference, Math.abs(found - expected)) : Number.POSITIVE_INFINITY;
      largest = Math.max(largest, Math.abs(expected));
    }
    errors.push({ input: index, error: difference / (largest || 1), tolerance });
  }
  return errors;
}

/** The computed gradients of the variables, in order. @param cotangent gives the entries of the gradients of the outputs */
export async function gradientsOf(
  gradientCase: GradientCase,
  cotangent: (index: number) => number,
): Promise<number[][]> {
  const { forward } = await openForward(gradientCase);
  const outputs = await forward(gradientCase.inputs);
  const cotangents = cotangentsOf(gradientCase).map((output) => {
    const { dims } = outputs[`output_${output}`]!;
    return [output, { dims, values: Array.from({ length: elementCount(dims) }, (_, i) => cotangent(i)) }] as const;
  });
  const gradients = await runBackward(gradientCase, new Map(cotangents));
  return [...gradients.values()].map(({ data }) => [...data]);
}

function isVariable(input: CaseInput): input is Variable {
  return input !== undefined && 'kind' in input && input.kind === 'variable';
}

function isGiven(input: CaseInput): input is Given {
  return input !== undefined && 'kind' in input && input.kind === 'given';
}

function moved(variable: Variable, index: number, offset: number): Variable {
  return { ...variable, values: variable.values.map((value, i) => (i === index ? value + offset : value)) };
}

function cotangentsOf({ cotangents }: GradientCase): readonly number[] {
  return cotangents ?? [0];
}

/** Writes the operator with its inputs declared; returns the names of its outputs. */
function writeCase(
  b: GraphBuilder,
  { op, inputs, attributes, outputs = 1 }: GradientCase,
  real: Real,
): readonly string[] {
  const names = inputs.map((input, i) => {
    if (input === undefined) return '';
    if (isVariable(input)) return b.input(`input_${i}`, real, input.shape);
    if (isGiven(input)) return b.input(`input_${i}`, input.dtype, input.shape);
    return b.constant(real === 'float64' ? widened(input) : input);
  });
  while (names.at(-1) === '') names.pop();
  return b.node(op, names, attributes, { outputNames: Array.from({ length: outputs }, (_, i) => `output_${i}`) });
}

function widened(tensor: Tensor): Tensor {
  if (tensor.dtype !== 'float32') return tensor;
  return { ...tensor, dtype: 'float64', data: Float64Array.from(tensor.data as Float32Array) };
}

type Outputs = Readonly<Record<string, { readonly dims: readonly number[]; readonly data: ArrayLike<number> }>>;

interface Forward {
  readonly forward: (inputs: readonly CaseInput[]) => Promise<Outputs>;
  readonly real: Real;
}

/** The operator alone: by its oracle if it has one, else in float64 where onnxruntime has a kernel for that, else in float32. */
async function openForward(gradientCase: GradientCase): Promise<Forward> {
  const { oracle } = gradientCase;
  if (oracle) {
    const named = (outputs: readonly OracleTensor[]) =>
      outputs.map(({ dims, values }, i) => [`output_${i}`, { dims, data: values }] as const);
    return { forward: async (inputs) => Object.fromEntries(named(oracle(inputs.map(oracleTensor)))), real: 'float64' };
  }
  try {
    return await openWith('float64');
  } catch {
    return await openWith('float32');
  }
  async function openWith(real: Real): Promise<Forward> {
    const b = new GraphBuilder();
    const session = await open(b, writeCase(b, gradientCase, real));
    return { forward: (inputs) => run(session, feedsOf(inputs, real)), real };
  }
}

function oracleTensor(input: CaseInput): OracleTensor | undefined {
  if (input === undefined || 'values' in input) return input;
  return { dims: input.dims, values: Array.from(input.data as ArrayLike<number>, Number) };
}

interface Result {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Runs forward and backward in float32; checks that the compiler's shapes are those that come out. */
async function runBackward(
  gradientCase: GradientCase,
  cotangents: ReadonlyMap<number, { dims: readonly number[]; values: readonly number[] }>,
): Promise<Map<number, Result>> {
  const b = new GraphBuilder();
  const outputs = writeCase(b, gradientCase, 'float32');
  const nodes = [...b.nodes];
  const seeds = new Map<string, string>();
  const feeds = feedsOf(gradientCase.inputs, 'float32');
  for (const [output, { dims, values }] of cotangents) {
    expectShape(b.shape(outputs[output]!), dims);
    seeds.set(outputs[output]!, b.input(`cotangent_${output}`, 'float32', b.shape(outputs[output]!)));
    feeds[`cotangent_${output}`] = new ort.Tensor('float32', Float32Array.from(values), dims);
  }
  const wanted = gradientCase.inputs.flatMap((input, i) => (isVariable(input) ? [`input_${i}`] : []));
  const gradients = differentiate(b, nodes, seeds, new Set(wanted));
  expect([...gradients.keys()]).toEqual(wanted);
  const session = await open(
    b,
    wanted.map((name) => b.op('Identity', [gradients.get(name)!], {}, { outputNames: [`gradient_of_${name}`] })),
  );
  const results = await run(session, feeds);
  return new Map(
    wanted.map((name) => {
      const { dims, data } = results[`gradient_of_${name}`]!;
      expectShape(b.shape(gradients.get(name)!), dims);
      return [Number(name.slice('input_'.length)), { dims, data: data as Float32Array }];
    }),
  );
}

/** Sizes known to the compiler are the real ones. */
function expectShape(inferred: readonly Dim[], dims: readonly number[]): void {
  expect(inferred.map((dim, axis) => (typeof dim === 'number' ? dim : dims[axis]))).toEqual([...dims]);
}

function open(b: GraphBuilder, outputs: readonly string[]): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(encodeModel({ graph: b.build('case', outputs), opset: 21, weights: [] }), {
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'basic',
    logSeverityLevel: 4,
  });
}

type Feeds = Record<string, ort.Tensor>;

function feedsOf(inputs: readonly CaseInput[], real: Real): Feeds {
  const feeds: Feeds = {};
  for (const [i, input] of inputs.entries()) {
    if (isVariable(input)) feeds[`input_${i}`] = tensorOf(real, input.values, input.dims);
    if (isGiven(input)) feeds[`input_${i}`] = tensorOf(input.dtype, input.values, input.dims);
  }
  return feeds;
}

function tensorOf(dtype: DataType, values: readonly number[], dims: readonly number[]): ort.Tensor {
  if (dtype === 'float32') return new ort.Tensor('float32', Float32Array.from(values), dims);
  if (dtype === 'float64') return new ort.Tensor('float64', Float64Array.from(values), dims);
  if (dtype === 'bool') return new ort.Tensor('bool', Uint8Array.from(values), dims);
  return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

async function run(session: ort.InferenceSession, feeds: Feeds): Promise<Outputs> {
  const results = await session.run(feeds);
  return results as unknown as Outputs;
}
