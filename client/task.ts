import { z } from 'zod';
import { dataConfig } from '../data/config.ts';
import { ConfigError, ProtocolError } from '../errors.ts';
import { weightingConfig } from '../privacy/weighting.ts';
import { localConfig } from './config.ts';
import { parameterTransport } from './parameter-transport.ts';
import { clippingSpec } from './round-settings.ts';

const layerSpec = z.strictObject({ name: z.string(), shape: z.array(z.int().min(1)).readonly() });

/** All that a worker must know to train clients, beside the training step and the parameters. Travels as JSON. */
export const workerTask = z.strictObject({
  data: dataConfig,
  /** `datasetFingerprint` of the server's data: a worker's own copy must give the same users the same ids. */
  dataFingerprint: z.string(),
  seed: z.union([z.int(), z.string()]),
  local: localConfig,
  clipping: clippingSpec,
  /** How much a client counts; all the same when absent. */
  weighting: weightingConfig.optional(),
  /** Step of the exact grid, a power of two. */
  gridStep: z.number().gt(0),
  /** Format of the parameters on the wire; left out for float32. */
  transport: parameterTransport.optional(),
  /** Channels that the training step's convolutions take at once, if it runs right only on processors that do. */
  block: z.union([z.literal(8), z.literal(16)]).optional(),
  /** Layers of the parameter vector, in order. */
  layers: z.array(layerSpec).readonly(),
});
export type WorkerTask = z.infer<typeof workerTask>;

/**
 * Reads a task as the server sent it.
 * @throws ProtocolError when it is not a task of this version
 */
export function parseTask(json: string): WorkerTask {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new ProtocolError('the task the server sent is not JSON', { cause: error });
  }
  const parsed = workerTask.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ProtocolError(
    `the task the server sent is not understood at ${issue.path.join('.') || 'its top'}: ${issue.message}; use the same version on both sides`,
  );
}

/**
 * The task with the data set read from another place, for a machine that keeps its data elsewhere.
 * @throws ConfigError when data of this kind is not read from files
 */
export function withDataPath(task: WorkerTask, path: string): WorkerTask {
  if (!('path' in task.data)) {
    throw new ConfigError(`data path '${path}': data of kind '${task.data.kind}' is not read from files; leave it out`);
  }
  return { ...task, data: { ...task.data, path } };
}
