import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { ModelError } from '../errors.ts';

/** What a run gives: each output's sizes and values. */
export type RunResults = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly data: ArrayLike<number> }>
>;

type Feeds = Readonly<Record<string, Tensor>>;

/** Runs a model once; see `runEach`. */
export async function runOnce(onnx: Uint8Array, feeds: Feeds): Promise<RunResults> {
  return (await runEach(onnx, [feeds]))[0]!;
}

/**
 * Runs a model on each of some feeds, on one thread. Feeds that it does not read are left out.
 * @throws ModelError in onnxruntime's words, on one line
 */
export async function runEach(onnx: Uint8Array, all: readonly Feeds[]): Promise<RunResults[]> {
  try {
    const session = await InferenceSession.create(onnx, {
      intraOpNumThreads: 1,
      graphOptimizationLevel: 'basic',
      logSeverityLevel: 4,
    });
    const results: RunResults[] = [];
    for (const feeds of all) {
      const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)));
      results.push((await session.run(used)) as unknown as RunResults);
    }
    await session.release();
    return results;
  } catch (error) {
    throw new ModelError(`onnxruntime cannot run the model: ${(error as Error).message.replaceAll('\n', ' ')}`);
  }
}
