import { ConfigError } from '../errors.ts';
import { readModel } from '../graph/decided-branches.ts';
import type { Model } from '../graph/ir.ts';
import { buildCnn } from './cnn.ts';
import type { ModelConfig } from './config.ts';
import { buildMlp } from './mlp.ts';
import { buildResNet } from './resnet.ts';
import type { Task } from './task.ts';
import { buildTransformerCtc } from './transformer-ctc.ts';

/**
 * Builds the configured model for a task, with weights initialised from the seed, or reads the user's file.
 * @throws ConfigError when model and data do not fit each other, ModelError for an unusable file
 */
export function buildModel(config: ModelConfig, task: Task, seed: number | string): Model {
  if (config.kind === 'onnx') return readModel(config.path);
  if (config.kind === 'cnn' || config.kind === 'mlp' || config.kind === 'resnet') {
    if (task.kind !== 'classification')
      throw new ConfigError(`model.kind: '${config.kind}' classifies images, but the data is ${what(task)}`);
    const images = { imageShape: task.imageShape, classes: task.classes.length };
    if (config.kind === 'cnn') return buildCnn({ ...config, ...images }, seed);
    return config.kind === 'mlp'
      ? buildMlp({ ...config, ...images }, seed)
      : buildResNet({ ...config, ...images }, seed);
  }
  if (task.kind !== 'transcription')
    throw new ConfigError(`model.kind: 'transformer-ctc' transcribes speech, but the data is ${what(task)}`);
  return buildTransformerCtc({ ...config, filters: task.filters, vocabulary: task.alphabet.length + 1 }, seed);
}

function what({ kind }: Task): string {
  if (kind === 'transcription') return "speech; use 'transformer-ctc'";
  return kind === 'classification' ? "images; use 'cnn'" : "tensors of your own; use 'onnx'";
}
