import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { WorkerTask } from '../client/task.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { ConfigError, DataError } from '../errors.ts';
import type { AdaptedModel } from '../models/adapt/adapt.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type Checkpoint, newestCheckpoint } from '../server/checkpoint.ts';
import type { RunConfig } from '../server/run-config.ts';
import { RunDirectory, readLines } from '../server/run-directory.ts';
import { type ManifestFacts, runManifest } from './manifest.ts';
import type { Progress } from './progress.ts';

/** Which run directory is wanted. */
export interface RunDirectoryRequest {
  readonly config: RunConfig;
  /** Run directory to continue, instead of making a new one. */
  readonly resume?: string;
  readonly progress: Pick<Progress, 'note'>;
}

/** What the directory's manifest says of data and model. */
export interface RunSubject {
  readonly dataset: FederatedDataset;
  readonly dataFingerprint: string;
  readonly layout: ParameterLayout;
  readonly modelFingerprint: string;
  readonly adapted: Pick<AdaptedModel, 'frozen' | 'batchNorm' | 'lora'>;
  readonly task: Pick<WorkerTask, 'block'>;
}

/** What a manifest.json holds, as far as it was written then. */
type Manifest = Partial<ManifestFacts> & { readonly [key: string]: string | number | undefined };

/** A run directory, and where in it to continue. */
export interface OpenedRun {
  readonly directory: RunDirectory;
  readonly resumeFrom?: Checkpoint;
}

/**
 * Makes a new run directory with its configuration and manifest, or opens one to resume. The directory is locked: the caller unlocks it.
 * @throws ConfigError when there is nothing to resume, another process works on the run, or the data or the model are not those the run began with
 * @throws DataError when the manifest of a resumed run is damaged
 */
export async function openRunDirectory(request: RunDirectoryRequest, subject: RunSubject): Promise<OpenedRun> {
  const { config, resume, progress } = request;
  const facts = manifestFacts(config, subject);
  if (resume === undefined) {
    const directory = await RunDirectory.create(config.output, config.name);
    await directory.lock();
    await describe(directory, config, facts);
    return { directory };
  }
  const directory = await RunDirectory.open(resume);
  await directory.lock(progress.note);
  try {
    const warn = (damaged: DataError) => progress.note(`warning: ${damaged.message}`);
    const resumeFrom = await newestCheckpoint(directory.checkpoints, warn);
    if (!resumeFrom) {
      await requireUnspent(directory);
      // Killed before its first checkpoint: it begins as if it were new.
      await describe(directory, config, facts);
      return { directory };
    }
    const began = await requireSameFacts(directory, facts);
    const other = otherGround(began, runManifest(facts));
    if (other)
      progress.note(`note: ${other}: the last bits of what follows may differ from those of an undisturbed run`);
    // Settings that may change on resuming, such as the number of rounds, are what the report goes by.
    await directory.write('config.yaml', stringify(config));
    return { directory, resumeFrom };
  } catch (error) {
    await directory.unlock();
    throw error;
  }
}

async function describe(directory: RunDirectory, config: RunConfig, facts: ManifestFacts): Promise<void> {
  await directory.write('config.yaml', stringify(config));
  await directory.write('manifest.json', `${JSON.stringify(runManifest(facts), undefined, 2)}\n`);
}

/** Privacy that was spent must not be forgotten by beginning anew. */
async function requireUnspent({ path, ledgerFile }: RunDirectory): Promise<void> {
  if ((await readLines(ledgerFile)).length === 0) return;
  throw new ConfigError(`${path}: its checkpoints are gone, there is none to resume from; start a new run`);
}

function manifestFacts(config: RunConfig, subject: RunSubject): ManifestFacts {
  const { dataset, dataFingerprint, layout, modelFingerprint, adapted, task } = subject;
  const { frozen, batchNorm, lora } = adapted;
  return {
    seed: config.seed,
    population: dataset.population,
    dataset: dataset.description,
    ...(dataset.userMeaning === undefined ? {} : { userMeaning: dataset.userMeaning }),
    dataFingerprint,
    model: `${config.model.kind}, ${layout.layers.length} layers, ${layout.size} parameters${frozen > 0 ? ` trained, ${frozen} frozen` : ''}`,
    ...(batchNorm ? { batchNorm: batchNorm.words } : {}),
    ...(lora ? { lora } : {}),
    parameters: layout.size,
    frozenParameters: frozen,
    layout: layout.fingerprint(),
    ...(task.block === undefined ? {} : { block: task.block }),
    modelFingerprint,
  };
}

/**
 * Makes sure that data and model are those of the run's manifest.
 * @returns what `otherGround` says of versions and processor
 * @throws ConfigError when they are others; DataError when the manifest cannot be read
 */
export async function requireSameSubject(
  directory: RunDirectory,
  config: RunConfig,
  subject: RunSubject,
): Promise<string | undefined> {
  const facts = manifestFacts(config, subject);
  return otherGround(await requireSameFacts(directory, facts), runManifest(facts));
}

/** Privacy adds up over the rounds of one user's data: the same id must mean the same user before and after a break. */
async function requireSameFacts(directory: RunDirectory, facts: ManifestFacts): Promise<Manifest> {
  const file = join(directory.path, 'manifest.json');
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new DataError(`${file}: cannot be read; restore it or start a new run`, { cause });
  }
  if (manifest.dataFingerprint !== facts.dataFingerprint || manifest.population !== facts.population) {
    throw new ConfigError(`${directory.path}: the data is not what this run began with; restore it or start a new run`);
  }
  // Runs of earlier versions have no fingerprint of what is not trained.
  const fixedPart = manifest.modelFingerprint ?? facts.modelFingerprint;
  if (manifest.layout !== facts.layout || fixedPart !== facts.modelFingerprint) {
    throw new ConfigError(
      `${directory.path}: the model is not what this run began with; restore it or start a new run`,
    );
  }
  return manifest;
}

/** What the numbers of a run depend on beside its settings (docs/architecture.md, Determinism), by the manifest's keys. */
const ground = {
  dpfl: 'version of dpfl',
  onnxruntime: 'version of onnxruntime',
  node: 'version of Node.js',
  platform: 'platform',
  block: "block of channels that the processor's convolutions take",
} as const;

/** In words, what of it is another than when the run began; undefined when nothing is. */
export function otherGround(began: Manifest, now: Manifest): string | undefined {
  const changed = Object.entries(ground).flatMap(([key, name]) => {
    const [before, after] = [began, now].map((manifest) => manifest[key as keyof typeof ground] ?? 'none');
    return before === after ? [] : [`another ${name} (${after}) than when the run began (${before})`];
  });
  return changed.length === 0 ? undefined : changed.join(', ');
}
