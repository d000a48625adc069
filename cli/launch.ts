import { randomUUID } from 'node:crypto';
import { openTask } from '../client/open-task.ts';
import { processorBlock } from '../client/processor-block.ts';
import type { WorkerTask } from '../client/task.ts';
import { LocalTrainer } from '../client/trainer.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { datasetFingerprint } from '../data/fingerprint.ts';
import { openDataset } from '../data/open.ts';
import { ConfigError, ModelError, PrivacyError, ProtocolError } from '../errors.ts';
import { type Binding, bindModel } from '../graph/binding.ts';
import { compileForward, compileTraining, type ForwardArtifact, type TrainingArtifact } from '../graph/compile.ts';
import { CompileCache, cacheDirectory } from '../graph/compile-cache.ts';
import { fixedPartFingerprint } from '../graph/fingerprint.ts';
import { encodeModel } from '../graph/onnx/write.ts';
import { parametersOf } from '../graph/parameters.ts';
import { type ChannelBlock, usesBlocks } from '../graph/rewrites/blocked-convolutions.ts';
import { type AdaptedModel, adaptModel } from '../models/adapt/adapt.ts';
import { bufferHint } from '../models/adapt/likely-buffers.ts';
import { buildModel } from '../models/build.ts';
import { requireFit } from '../models/fit.ts';
import { ParameterLayout } from '../params/layout.ts';
import { isLoopback } from '../proto/address.ts';
import { newToken } from '../proto/token.ts';
import { calibratedConfig } from '../server/calibrated-config.ts';
import { Evaluator } from '../server/evaluation.ts';
import { requireFeasibleTargets } from '../server/feasible-targets.ts';
import { InProcessServer } from '../server/in-process.ts';
import { LocalWorkers } from '../server/local-workers.ts';
import { runFederated } from '../server/run.ts';
import type { RunConfig } from '../server/run-config.ts';
import { RunPrivacy } from '../server/run-privacy.ts';
import { trainSeedModel } from '../server/seed-model.ts';
import { AggregationServer } from '../server/service.ts';
import { simulationOf } from '../server/simulation.ts';
import { memoryNote } from './memory-note.ts';
import { type OpenedRun, openRunDirectory } from './open-run-directory.ts';
import type { Progress } from './progress.ts';
import type { Security } from './security.ts';
import { removeTokenFile, writeTokenFile } from './token-file.ts';

/** What `dpfl run` and `dpfl server` ask for. */
export interface LaunchOptions {
  readonly config: RunConfig;
  /** File that `config` was read from, for messages. */
  readonly source: string;
  /** Run directory to continue, instead of making a new one. */
  readonly resume?: string;
  /** Address for workers of other machines, `host:port`; undefined: loopback only, with local workers. */
  readonly listen?: string;
  /** With `listen`: an address for probes alone, and whether to offer server reflection. */
  readonly health?: string;
  readonly reflection?: boolean;
  /** With `listen`: how the wire is protected. Local workers get a token of their own. */
  readonly security?: Security;
  readonly progress: Progress;
  /** Ends the run after the round under way. */
  readonly signal: AbortSignal;
  /** Gets the server as soon as it listens. */
  readonly onServer?: (server: AggregationServer) => void;
  /** Hears how to continue the run, as soon as it can be. */
  readonly onResumable?: (hint: string) => void;
}

export interface LaunchOutcome {
  /** The run directory. */
  readonly directory: string;
}

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

/** Builds model, data set, evaluator and server for `options.config`, and runs federated learning to its end. */
export async function launch(asked: LaunchOptions): Promise<LaunchOutcome> {
  const { listen, progress, security = { token: newToken() } } = asked;
  const block = await blockOf(asked.config);
  const run = namingSource(asked.source, () => prepare(asked.config, block));
  const { config } = run;
  const options = { ...asked, config };
  const evaluator = await Evaluator.create(run.forward, run.dataset.task, run.binding);
  const server = await openServer(options, security, run);
  if (server instanceof AggregationServer) options.onServer?.(server);
  let workers: LocalWorkers | undefined;
  let opened: OpenedRun | undefined;
  let forgetToken = () => {};
  try {
    opened = await openRunDirectory(options, run);
    const { directory, resumeFrom } = opened;
    options.onResumable?.(resumeHint(directory.path, listen));
    options.signal.addEventListener('abort', () => abandonWithoutWorkers(server));
    let tokenFile: string | undefined;
    if (security.tokenIsNew && security.token !== undefined) {
      tokenFile = writeTokenFile(directory.path, security.token);
      forgetToken = () => removeTokenFile(directory.path);
    }
    announce(asked.config, options, run, server, directory.path, tokenFile);
    if (listen === undefined && server instanceof AggregationServer) {
      const onAllFailed = (error: Error) => server.fail(error);
      workers = LocalWorkers.start({
        count: config.federation.workers,
        server: server.address,
        token: security.token,
        onAllFailed,
        log: progress.note,
      });
    }
    const initialParameters = resumeFrom ? run.layout.allocate() : await startingPoint(options, run);
    const { layout, dataset } = run;
    progress.begin({ rounds: config.federation.rounds });
    const { parameters } = await runFederated({
      config,
      runDirectory: directory,
      server,
      initialParameters,
      layout,
      evaluator,
      dataset,
      progress,
      resumeFrom,
      signal: options.signal,
    });
    await directory.write('model.onnx', encodeModel(run.adapted.finish(layout, parameters)));
    return { directory: directory.path };
  } catch (error) {
    if (opened !== undefined) progress.note(resumeHint(opened.directory.path, listen));
    throw error;
  } finally {
    forgetToken();
    await server.close();
    // Those that were connected have hung up by now; any other is not waited for.
    await workers?.stop(1);
    await opened?.directory.unlock();
  }
}

/** A round that nobody trains would not end: there is nothing to wait for. */
function abandonWithoutWorkers(server: AggregationServer | InProcessServer): void {
  if (server instanceof InProcessServer || server.workerCount() > 0) return;
  server.fail(new ProtocolError('stopped while no worker was connected'));
}

/** How an interrupted run goes on. */
function resumeHint(directory: string, listen: string | undefined): string {
  const command = listen === undefined ? 'dpfl run' : `dpfl server --listen ${listen}`;
  return `the run stopped; continue it from its last checkpoint: ${command} --resume ${directory}`;
}

/** Where clients train: behind gRPC, or without any worker process right here. */
async function openServer(
  { config, listen, progress, health, reflection }: LaunchOptions,
  security: Security,
  run: Prepared,
): Promise<AggregationServer | InProcessServer> {
  if (listen === undefined && config.federation.workers === 0) {
    return new InProcessServer(await openTask(run.task, run.training));
  }
  return AggregationServer.start({
    listen: listen ?? '127.0.0.1:0',
    tls: security.tls,
    token: security.token,
    healthListen: health,
    reflection,
    runId: randomUUID(),
    task: run.task,
    model: run.training,
    leaseTimeoutSeconds: config.federation.leaseSeconds,
    silenceSeconds: config.federation.silenceSeconds,
    waitForWorkersSeconds: config.federation.waitForWorkersSeconds,
    log: listen === undefined ? undefined : progress.note,
    notice: (line) => progress.note(line, 'warn'),
  });
}

/** Settings that turn out wrong only beside the data are still mistakes in the file they were read from. */
function namingSource<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof PrivacyError)) throw error;
    throw new ConfigError(`${source}: ${error.message}`, { cause: error });
  }
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

/**
 * Opens the data and builds the model of a run.
 * @param block see `blockOf`
 * @throws ConfigError, DataError, ModelError or PrivacyError, whatever is wrong with the settings
 */
export function prepare(asked: RunConfig, block?: ChannelBlock): Prepared {
  const dataset = openDataset(asked.data, asked.seed);
  const config = calibratedConfig(asked, dataset.population);
  if (config.seedModel && !dataset.seed) {
    throw new ConfigError(`seedModel: the data set '${config.data.kind}' has no public examples; remove this section`);
  }
  const source = 'path' in config.model ? config.model.path : config.model.kind;
  const built = buildModel(config.model, dataset.task, config.seed);
  const batchNorm = config.model.kind === 'onnx' ? config.model.batchNorm : undefined;
  const adapted = namingModel(source, () => adaptModel(built, { train: config.train, batchNorm }, config.seed));
  const { model } = adapted;
  if (config.model.kind === 'transformer-ctc') requireFeasibleTargets(config.model.stride, dataset.evaluation());
  const { task: learned } = dataset;
  const fields = learned.kind === 'tensors' ? learned.fields : undefined;
  const binding = bindModel(model, learned.kind, source, { loss: config.loss, fields });
  requireFit(model, binding, dataset.task, source);
  const cache = new CompileCache(cacheDirectory(process.env));
  const { training, forward } = namingModel(source, () => ({
    training: cache.artifact('training', model, binding, compileTraining, { clipped: clipsGradients(config), block }),
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
  const { settings, grid } = privacy;
  const { data, seed, local } = config;
  const { weighting } = config.federation;
  const dataFingerprint = datasetFingerprint(dataset);
  const task = {
    data,
    dataFingerprint,
    seed,
    local,
    clipping: settings.clipping,
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

/** Whether any training of the run clips gradients: a step that does not is shorter. */
function clipsGradients({ local, seedModel }: RunConfig): boolean {
  return local.maxGradientNorm !== null || (seedModel !== undefined && seedModel.maxGradientNorm !== null);
}

function announce(
  asked: RunConfig,
  { config, listen, progress, security }: LaunchOptions,
  run: Prepared,
  server: AggregationServer | InProcessServer,
  directory: string,
  tokenFile: string | undefined,
): void {
  const { expectedCohort, rounds } = config.federation;
  const count = (value: number) => value.toLocaleString('en-US');
  const frozen = run.adapted.frozen > 0 ? ` trained, ${count(run.adapted.frozen)} frozen` : '';
  progress.note(
    `${directory}: ${config.model.kind}, ${count(run.layout.size)} parameters in ${run.layout.layers.length} layers${frozen}`,
  );
  progress.note(
    `population ${count(run.dataset.population)}, expected cohort ${count(expectedCohort)}, ${count(rounds)} rounds`,
  );
  const memory = memoryNote(run.adapted.model, run.dataset, config.local.batchSize);
  if (memory) progress.note(memory);
  const { noise } = config.privacy;
  if (asked.privacy.noise?.calibrate && noise?.multiplier !== undefined) {
    progress.note(`noise multiplier ${noise.multiplier}: the least that keeps all rounds within privacy.budget`);
  }
  for (const warning of run.warnings) progress.note(`warning: ${warning}`);
  if (run.adapted.batchNorm) progress.note(run.adapted.batchNorm.words);
  if (run.adapted.lora) progress.note(run.adapted.lora);
  for (const note of run.adapted.notes) progress.note(`note: ${note}`);
  for (const buffer of run.adapted.likelyBuffers) progress.note(`hint: ${bufferHint(buffer)}`);
  if (server instanceof InProcessServer) progress.note('no workers: clients train in this process, one after another');
  if (listen === undefined || server instanceof InProcessServer) return;
  const { address, healthAddress } = server;
  if (healthAddress !== undefined) progress.note(`health service for probes on ${healthAddress}`);
  const protection = security?.tls ? ' --tls <worker certificates>' : isLoopback(address) ? '' : ' --insecure';
  const token = tokenFile ?? (security?.token === undefined ? undefined : '<file>');
  const ticket = token === undefined ? '' : ` --token-file ${token}`;
  progress.note(`listening on ${address}; start workers with: dpfl worker --server ${address}${protection}${ticket}`);
}

/** The weights before the first round: those of the file or the seed, or the centrally trained seed model. */
async function startingPoint(
  { config, progress }: LaunchOptions,
  { dataset, adapted, layout, training }: Prepared,
): Promise<Float32Array> {
  const initial = parametersOf(adapted.model, layout);
  if (!config.seedModel || !dataset.seed) return initial;
  const examples = dataset.seed();
  const { steps } = config.seedModel;
  progress.note(
    `stage 1: seed model, trained centrally on ${examples.count} public examples for ${steps} steps (no user's data)`,
  );
  const trainer = await LocalTrainer.create(training);
  const every = Math.max(1, Math.round(steps / 4));
  const onStep = (step: number, loss: number) => {
    if (step % every === 0 || step === steps) progress.note(`  step ${step}/${steps}  loss ${loss.toFixed(3)}`);
  };
  const parameters = await trainSeedModel(initial, {
    trainer,
    examples,
    config: config.seedModel,
    layout,
    seed: config.seed,
    onStep,
  });
  progress.note('stage 2: federated training');
  return parameters;
}
