import { groupingPays } from '../client/grouping.ts';
import { processorBlock } from '../client/processor-block.ts';
import type { WorkerTask } from '../client/task.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { datasetFingerprint } from '../data/fingerprint.ts';
import { openDataset } from '../data/open.ts';
import { ConfigError, ModelError, PrivacyError } from '../errors.ts';
import { type Binding, bindModel, notesOnBinding } from '../graph/binding.ts';
import {
  compileForward,
  compileTraining,
  type ForwardArtifact,
  type TrainingArtifact,
  type TrainingOptions,
} from '../graph/compile.ts';
import { CompileCache, cacheDirectory } from '../graph/compile-cache.ts';
import { fixedPartFingerprint } from '../graph/fingerprint.ts';
import { type ChannelBlock, usesBlocks } from '../graph/rewrites/blocked-convolutions.ts';
import { type AdaptedModel, adaptModel } from '../models/adapt/adapt.ts';
import { buildModel } from '../models/build.ts';
import { requireFit } from '../models/fit.ts';
import { ParameterLayout } from '../params/layout.ts';
import { calibratedConfig } from '../server/calibrated-config.ts';
import { requireFeasibleTargets } from '../server/feasible-targets.ts';
import type { RunConfig } from '../server/run-config.ts';
import { RunPrivacy } from '../server/run-privacy.ts';
import { simulationOf } from '../server/simulation.ts';
import { forAnyBatch } from './any-batch.ts';

/** A run before anything is started or written: everything that bad input can break. */
export interface Prepared {
  /** What the settings allow but nobody should want, one line each. */
  readonly warnings: readonly string[];
  /** With calibrated noise. */
  readonly config: RunConfig;
  readonly dataset: FederatedDataset;
  readonly dataFingerprint: string;
  readonly adapted: AdaptedModel;
  readonly modelFingerprint: string;
  readonly binding: Binding;
  readonly layout: ParameterLayout;
  readonly training: TrainingArtifact;
  readonly forward: ForwardArtifact;
  readonly task: WorkerTask;
}

/**
 * Opens the data and builds the model of a run.
 * @param block see `blockOf`
 * @throws ConfigError, DataError, ModelError or PrivacyError, whatever is wrong with the settings
 */
export async function prepare(asked: RunConfig, block?: ChannelBlock): Promise<Prepared> {
  const dataset = openDataset(asked.data, asked.seed);
  const config = calibratedConfig(asked, dataset.population);
  if (config.seedModel && !dataset.seed) {
    throw new ConfigError(`seedModel: the data set '${config.data.kind}' has no public examples; remove this section`);
  }
  const source = 'path' in config.model ? config.model.path : config.model.kind;
  const built = await forAnyBatch(buildModel(config.model, dataset.task, config.seed));
  const batchNorm = config.model.kind === 'onnx' ? config.model.batchNorm : undefined;
  const trained = namingModel(source, () => adaptModel(built.model, { train: config.train, batchNorm }, config.seed));
  const { model } = trained;
  if (config.model.kind === 'transformer-ctc') requireFeasibleTargets(config.model.stride, dataset.evaluation());
  const { task: learned } = dataset;
  const fields = learned.kind === 'tensors' ? learned.fields : undefined;
  const imageShape = learned.kind === 'classification' ? learned.imageShape : undefined;
  const binding = bindModel(model, learned.kind, source, { loss: config.loss, fields, imageShape });
  requireFit(model, binding, dataset.task, source);
  const adapted = { ...trained, notes: [...built.notes, ...trained.notes, ...notesOnBinding(binding)] };
  const cache = new CompileCache(cacheDirectory(process.env));
  const { training, forward } = namingModel(source, () => ({
    training: cache.artifact('training', model, binding, compileTraining, {
      ...stepOptions(config, dataset),
      block,
    }),
    forward: cache.artifact('forward', model, binding, compileForward),
  }));
  const layout = new ParameterLayout(training.layers);
  const privacy = new RunPrivacy(config, layout, dataset.population);
  // What cannot be simulated or accounted must show now, not after the first round.
  simulationOf(config, dataset, layout);
  const { budget } = config.privacy;
  if (budget !== undefined && !privacy.affords(1)) {
    throw new PrivacyError(
      `privacy.budget: the first round alone costs more than epsilon ${budget.epsilon} at delta ${budget.delta}; raise the noise (noise: { calibrate: true } finds how far) or the budget`,
    );
  }
  privacy.spend(privacy.entry(1));
  if (Number.isNaN(privacy.epsilon)) throw new PrivacyError('privacy: a round of these settings has no epsilon');
  const { settings, clipping, grid } = privacy;
  const { data, seed, local } = config;
  const { weighting } = config.federation;
  const dataFingerprint = datasetFingerprint(dataset);
  const task = {
    data,
    dataFingerprint,
    seed,
    local,
    clipping,
    ...(weighting === undefined ? {} : { weighting }),
    gridStep: grid.step,
    ...(config.federation.transport === 'float32' ? {} : { transport: config.federation.transport }),
    ...(usesBlocks(training.onnx) ? { block } : {}),
    layers: training.layers,
  };
  const modelFingerprint = fixedPartFingerprint(model);
  const { warnings } = settings;
  return {
    config,
    dataset,
    dataFingerprint,
    adapted,
    modelFingerprint,
    binding,
    layout,
    training,
    forward,
    task,
    warnings,
  };
}

/** What convolutions of the run's training step are made for; undefined: any processor. */
export function blockOf({ federation }: RunConfig): Promise<ChannelBlock | undefined> {
  return federation.kernels === 'native' ? processorBlock() : Promise.resolve(undefined);
}

/** How the training step is compiled, by what the run's trainings, its seed model's among them, have in common. Where none clips gradients, it is shorter. */
export function stepOptions({ local, seedModel }: RunConfig, dataset: FederatedDataset): TrainingOptions {
  const trainings = seedModel === undefined ? [local] : [local, seedModel];
  return {
    clipped: trainings.some(({ maxGradientNorm }) => maxGradientNorm !== null),
    batchSize: Math.max(...trainings.map(({ batchSize }) => batchSize)),
    grouped: groupingPays(dataset, local),
  };
}

/** Compilers see a graph, not the file that it came from. */
function namingModel<T>(model: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(`${model}: ${error.message}`, { cause: error });
  }
}
