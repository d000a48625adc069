import { Cifar10 } from './cifar10.ts';
import type { DataConfig } from './config.ts';
import type { FederatedDataset } from './dataset.ts';
import { Fsdd } from './fsdd.ts';
import { NpyArrays } from './npy-arrays.ts';
import { SyntheticImages } from './synthetic-images.ts';
import { SyntheticSpeech } from './synthetic-speech.ts';

/**
 * Opens the data set that the `data` section names. The same configuration and seed give the same users and examples in
 * every process.
 * @throws DataError when files are missing or malformed; ConfigError when the settings do not fit the data
 */
export function openDataset(config: DataConfig, seed: number | string): FederatedDataset {
  switch (config.kind) {
    case 'synthetic-speech':
      return new SyntheticSpeech(config, seed);
    case 'synthetic-images':
      return new SyntheticImages(config, seed);
    case 'fsdd':
      return new Fsdd(config);
    case 'cifar10':
      return new Cifar10(config, seed);
    case 'npy':
      return new NpyArrays(config);
  }
}
