import { parse } from 'yaml';
import { ConfigError, ModelError } from '../errors.ts';
import { readModel } from '../graph/decided-branches.ts';
import type { Model } from '../graph/ir.ts';
import { type AdaptedModel, adaptModel } from '../models/adapt/adapt.ts';
import type { BatchNormHandling } from '../models/adapt/group-norm.ts';
import { type TrainConfig, trainConfig } from '../models/config.ts';
import { forAnyBatch } from './any-batch.ts';

/** Options of the `model` commands that say what a run would do to the model before it is trained. */
export interface AdaptationOptions {
  /** The `train` section of a configuration, on one line. */
  readonly train?: string;
  readonly batchNorm?: BatchNormHandling;
}

/** Reads a model file and makes it ready for training, as a run with these settings would. @throws ModelError or ConfigError */
export async function readTrainedModel(file: string, options?: AdaptationOptions): Promise<AdaptedModel> {
  const { model, notes } = await forAnyBatch(readModel(file));
  const adapted = adapt(model, file, options);
  return { ...adapted, notes: [...notes, ...adapted.notes] };
}

/** The same for one batch of the size that the file says. @throws ModelError or ConfigError */
export function readAdaptedModel(file: string, options?: AdaptationOptions): AdaptedModel {
  return adapt(readModel(file), file, options);
}

function adapt(model: Model, file: string, { train, batchNorm }: AdaptationOptions = {}): AdaptedModel {
  const adaptation = { train: train === undefined ? undefined : trainSection(train), batchNorm };
  try {
    return adaptModel(model, adaptation);
  } catch (error) {
    if (error instanceof ModelError) throw new ModelError(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

function trainSection(text: string): TrainConfig {
  let value: unknown;
  try {
    value = parse(text, { prettyErrors: false });
  } catch (cause) {
    throw new ConfigError(`--train: is not a section on one line, such as '{exclude: ["*.bias"]}'`, { cause });
  }
  const parsed = trainConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new ConfigError(`--train: ${mistakes.join('; ')}; see docs/configuration.md#train`);
}
