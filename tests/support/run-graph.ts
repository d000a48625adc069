import * as ort from 'onnxruntime-node';
import type { GraphBuilder } from '../../graph/builder.ts';
import { exportGraph } from '../../graph/export.ts';
import { elementCount, type Value } from '../../graph/ir.ts';
import type { Rewrite } from '../../graph/rewrites/rewrite.ts';
import { namedStream } from '../../random/stream.ts';

/** Sizes that stand for symbolic dimensions in a run. */
export type Sizes = Readonly<Record<string, number>>;

/** Runs a written graph on random inputs (the same for the same names), and gives the numbers of each output. */
export async function runGraph(b: GraphBuilder, outputs: readonly string[], sizes: Sizes = {}): Promise<number[][]> {
  const session = await ort.InferenceSession.create(exportGraph(b.build('test', outputs)), {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
  });
  const results = await session.run(Object.fromEntries(b.inputs.map((input) => [input.name, draw(input, sizes)])));
  await session.release();
  return outputs.map((output) => Array.from(results[output]!.data as Float32Array, Number));
}

function draw({ name, dtype, shape }: Value, sizes: Sizes): ort.Tensor {
  const dims = shape.map((size) => (typeof size === 'number' ? size : sizes[size]!));
  const stream = namedStream('graph test', name);
  const values = Array.from({ length: elementCount(dims) }, () => 4 * stream.uniform() - 2);
  return dtype === 'int64'
    ? new ort.Tensor(
        'int64',
        BigInt64Array.from(values, (value) => BigInt(Math.round(value))),
        dims,
      )
    : new ort.Tensor('float32', Float32Array.from(values), dims);
}

/** What a rewrite made of a graph: operators before and after, and outputs before and after on the same inputs. */
export async function rewriteAndRun(
  b: GraphBuilder,
  outputs: readonly string[],
  rewrite: Rewrite,
  sizes: Sizes = {},
): Promise<{ before: string[]; after: string[]; expected: number[][]; found: number[][] }> {
  const operators = () => b.nodes.map(({ op }) => op);
  const before = operators();
  const expected = await runGraph(b, outputs, sizes);
  rewrite(b, outputs);
  return { before, after: operators(), expected, found: await runGraph(b, outputs, sizes) };
}

/** The largest difference between two lists of outputs, relative to the largest magnitude of each. */
export function largestError(found: readonly number[][], expected: readonly number[][]): number {
  return Math.max(
    ...expected.map((values, i) => {
      const size = Math.max(...values.map(Math.abs), 1e-30);
      return Math.max(...values.map((value, j) => Math.abs(found[i]![j]! - value))) / size;
    }),
  );
}
