import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, totalmem } from 'node:os';
import { version } from './version.ts';

/** What a manifest says besides the machine. */
export interface ManifestFacts {
  readonly seed: number | string;
  /** K, as the opened data set has it. */
  readonly population: number;
  /** The data set's own sentence on itself. */
  readonly dataset: string;
  /** What a user of this data set is, where it is not a person. */
  readonly userMeaning?: string;
  /** `datasetFingerprint` of the data. */
  readonly dataFingerprint: string;
  /** One line on the model. */
  readonly model: string;
  /** What became of BatchNormalization, for models that have any. */
  readonly batchNorm?: string;
  /** What adapters are trained, for runs with LoRA. */
  readonly lora?: string;
  /** Trained parameters, and those that stay as they are. */
  readonly parameters: number;
  readonly frozenParameters: number;
  /** SHA-256 of layer names and shapes. */
  readonly layout: string;
  /** Channels that the training step's convolutions take at once, where it is made for one kind of processor. */
  readonly block?: number;
  /** SHA-256 of what training leaves as it is: nodes and constants. */
  readonly modelFingerprint: string;
}

/** The content of manifest.json: what ran, with which versions, on which machine. Reports are made from it. */
export function runManifest(facts: ManifestFacts, now: Date = new Date()): Record<string, string | number> {
  const processors = cpus();
  return {
    ...facts,
    started: now.toISOString(),
    dpfl: version(),
    node: process.version,
    onnxruntime: dependencyVersion('onnxruntime-node'),
    platform: `${platform()} ${arch()}`,
    processors: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

function dependencyVersion(name: string): string {
  try {
    const file = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
