import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { ModelError } from '../errors.ts';

/** What a run gives: each output's sizes and values. */
export type RunResults = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly data: ArrayLike<number> }>
>;

/**
 * Runs a model once, on one thread. Feeds that it does not read are left out.
 * @throws ModelError in onnxruntime's words, on one line
 */
export async function runOnce(onnx: Uint8Array, feeds: Readonly<Record<string, Tensor>>): Promise<RunResults> {
  try {
    const session = await InferenceSession.create(onnx, {
      intraOpNumThreads: 1,
      graphOptimizationLevel: 'basic',
      logSeverityLevel: 4,
    });
    const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)));
    const results = await session.run(used);
    await session.release();
    return results as unknown as RunResults;
  } catch (error) {
    throw new ModelError(`onnxruntime cannot run the model: ${(error as Error).message.replaceAll('\n', ' ')}`);
  }
}
