import { expectedWork } from '../client/expected-work.ts';
import { asTransported } from '../client/parameter-transport.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { ModelError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { Canaries } from '../privacy/audit/canaries.ts';
import { RoundAggregator } from './aggregation.ts';
import { AUDIT_FILE, auditScores, canariesOf } from './audit-scores.ts';
import { type Checkpoint, saveCheckpoint } from './checkpoint.ts';
import { configHash } from './config-hash.ts';
import type { Evaluator } from './evaluation.ts';
import { markedRecord } from './not-covered.ts';
import { CentralOptimizer } from './optimizers/central-optimizer.ts';
import { parametersHash } from './parameters-hash.ts';
import type { EvaluationRecord, RoundRecord } from './records.ts';
import { RejectionWatch } from './rejection-watch.ts';
import { requireFresh, restoreRun } from './resume.ts';
import { initialRecord, roundRecord } from './round-record.ts';
import { centralStep } from './round-step.ts';
import { RoundAbandoned, type RoundServer, trainCohort } from './rounds.ts';
import type { RunConfig } from './run-config.ts';
import type { RunDirectory } from './run-directory.ts';
import { RunPrivacy } from './run-privacy.ts';
import { ShardPlanner } from './shard-planner.ts';
import { type Simulation, simulationOf } from './simulation.ts';

/** What the coordinator tells while it works. */
export interface RunProgress {
  /** A record was written, round 0 included. */
  onRound?(record: RoundRecord): void;
  /** Shards done of the round under way. */
  onShard?(round: number, done: number, total: number): void;
}

/** Everything a federated run needs. */
export interface FederatedRun {
  readonly config: RunConfig;
  readonly runDirectory: RunDirectory;
  /** Where clients train. */
  readonly server: RoundServer;
  /** θ(0): random, or the seed model. Not changed. Ignored when resuming. */
  readonly initialParameters: Float32Array;
  readonly layout: ParameterLayout;
  readonly evaluator: Pick<Evaluator, 'evaluate'>;
  readonly dataset: Pick<FederatedDataset, 'population' | 'evaluation' | 'expectedWork'>;
  readonly progress?: RunProgress;
  /** A checkpoint of this run directory to continue from. */
  readonly resumeFrom?: Checkpoint;
  /** Ends the run, with a checkpoint, after the round under way (without, where `server` rejects that with RoundAbandoned). */
  readonly signal?: AbortSignal;
}

/** How a run ended. */
export interface RunOutcome {
  readonly parameters: Float32Array;
  /** Last finished central step. */
  readonly round: number;
  /** False when `signal` or the privacy budget ended the run early. */
  readonly finished: boolean;
  /** Epsilon spent at the configured delta; null without noise. */
  readonly epsilon: number | null;
}

/**
 * Federated learning as the central server sees it (arXiv:2310.00098 Algorithm 1): evaluation, then per central step sample,
 * train, sum, add noise, divide by the expected cohort, optimize, evaluate, record. Everything but the times in the records
 * depends on configuration and seed alone, whatever the number of workers and however often the run was interrupted.
 *
 * @throws ConfigError when `resumeFrom` belongs to other settings; or `runDirectory` holds a run already;
 *   PrivacyError when the settings fit no population; ModelError when training diverges; whatever `server` throws
 */
export async function runFederated(options: FederatedRun): Promise<RunOutcome> {
  const coordinator = new Coordinator(options);
  await coordinator.begin();
  return coordinator.run();
}

interface SavedState {
  readonly checkpoint: Checkpoint;
  /** The file with the canaries' scores. */
  readonly audit: string | undefined;
}

class Coordinator {
  readonly #options: FederatedRun;
  readonly #privacy: RunPrivacy;
  readonly #optimizer: CentralOptimizer;
  readonly #aggregator: RoundAggregator;
  readonly #parameters: Float32Array;
  readonly #scratch: Float32Array;
  readonly #configHash: string;
  readonly #rejections = new RejectionWatch();
  readonly #planner: ShardPlanner;
  readonly #simulation: Simulation | undefined;
  readonly #canaries: Canaries | undefined;
  readonly #heldOut: ReturnType<FederatedDataset['evaluation']>;
  #round = 0;
  #savedRound = -1;
  /** Record and checkpoint of the last finished round, which are written while the next one trains. */
  #written: Promise<void> = Promise.resolve();

  constructor(options: FederatedRun) {
    const { config, layout, dataset, initialParameters } = options;
    this.#options = options;
    this.#privacy = new RunPrivacy(config, layout, dataset.population);
    this.#canaries = canariesOf(config, layout, this.#privacy);
    this.#optimizer = new CentralOptimizer(config.optimizer, layout);
    this.#aggregator = new RoundAggregator(layout);
    this.#parameters = initialParameters.slice();
    this.#scratch = layout.allocate();
    this.#configHash = configHash(config);
    const { shardSize, leaseSeconds } = config.federation;
    const work = (id: number) => expectedWork(dataset, config.local, id);
    this.#simulation = simulationOf(config, dataset, layout);
    this.#planner = new ShardPlanner({ work, shardSize, leaseSeconds });
    this.#heldOut = dataset.evaluation();
  }

  /** Round 0, or the state after the last checkpoint. */
  async begin(): Promise<void> {
    const { resumeFrom, runDirectory, layout } = this.#options;
    if (resumeFrom === undefined) {
      await requireFresh(runDirectory);
      const started = performance.now();
      const evaluation = await this.#evaluate();
      await this.#record(
        initialRecord(
          layout,
          this.#privacy.epsilon,
          evaluation,
          parametersHash(this.#parameters),
          secondsSince(started),
        ),
      );
      await this.#save(this.#state());
      return;
    }
    const { noiseSource } = this.#privacy.settings;
    const spent = await restoreRun(runDirectory, resumeFrom, this.#configHash, noiseSource);
    for (const entry of spent) this.#privacy.spend(entry);
    if (resumeFrom.parameters.length !== layout.size) {
      throw new ModelError(
        `${runDirectory.path}: its checkpoint has ${resumeFrom.parameters.length} parameters, the model has ${layout.size}; resume with the run's own model`,
      );
    }
    this.#privacy.restore(resumeFrom.privacy, resumeFrom.round);
    this.#canaries?.restore(resumeFrom.privacy);
    this.#optimizer.restore(resumeFrom.optimizer);
    this.#parameters.set(resumeFrom.parameters);
    this.#round = resumeFrom.round;
    this.#savedRound = resumeFrom.round;
  }

  async run(): Promise<RunOutcome> {
    const { config, signal } = this.#options;
    try {
      while (this.#round < config.federation.rounds && !signal?.aborted && this.#privacy.affords(this.#round + 1)) {
        await this.#step(this.#round + 1);
      }
      await this.#written;
      await this.#save(this.#state());
    } catch (error) {
      // Its cohort is drawn, so what privacy keeps of rounds is ahead of the parameters: the last checkpoint stays the last.
      if (!(error instanceof RoundAbandoned)) throw error;
      await this.#written;
    } finally {
      // A round that fails must not cut off the files of the one before. Their own failure is told above.
      await this.#written.catch(() => undefined);
    }
    return {
      parameters: this.#parameters,
      round: this.#round,
      finished: this.#round >= config.federation.rounds,
      epsilon: this.#privacy.epsilon,
    };
  }

  async #step(round: number): Promise<void> {
    const { config, server, layout, runDirectory, progress } = this.#options;
    const { expectedCohort, workers: expectedWorkers, rounds, transport } = config.federation;
    const started = performance.now();
    const due = round % config.evaluation.every === 0 || round === rounds;
    const privacy = this.#privacy;
    const account = async () => {
      const entry = privacy.entry(round);
      await runDirectory.appendLedger(entry);
      privacy.spend(entry);
    };
    const cohort = {
      draw: () => privacy.cohort(round),
      drawn: privacy.releasedByTraining ? account : undefined,
      meanwhile: () => {
        privacy.drawAhead(round);
        if (due) privacy.accountAhead(round);
      },
      terms: privacy.terms.bind(privacy),
      planner: this.#planner,
      workers: expectedWorkers,
      simulation: this.#simulation,
    };
    const start = asTransported(this.#parameters, transport, layout, this.#scratch);
    const trained = await trainCohort(server, this.#aggregator, cohort, round, start, (done, total) =>
      progress?.onShard?.(round, done, total),
    );
    const training = secondsSince(started);
    await this.#written;
    const workers = server.workerCount();
    const canaries = this.#canaries?.addTo(trained.totals.sum, round);
    // Accounted before it is released: no crash can leave a noisy sum in the model that the ledger does not know of.
    if (!privacy.releasedByTraining) await account();
    const mechanism = privacy.serverNoise(trained.cohort, trained.totals.contributed);
    const release = { grid: privacy.grid, mechanism, expectedCohort };
    const clippingBounds = privacy.movingBounds;
    const step = centralStep(round, trained.totals, release, this.#optimizer, layout, this.#parameters, this.#scratch);
    // The step left the sum with its noise: what is released.
    this.#canaries?.observe(trained.totals.sum);
    privacy.finish(round, trained.totals);
    const evaluationStarted = performance.now();
    const evaluation = due ? await this.#evaluate() : undefined;
    const seconds = { training, evaluation: secondsSince(evaluationStarted), total: secondsSince(started) };
    // A privacy-loss distribution takes a tenth of a second: too long for every round, little beside an evaluation.
    const epsilon = due || !this.#privacy.slowToAccount ? this.#privacy.epsilon : null;
    const faults = server.takeFaults?.();
    const parametersSha256 = parametersHash(this.#parameters);
    const finished = {
      round,
      trained,
      step,
      clippingBounds,
      canaries,
      epsilon,
      evaluation,
      parametersSha256,
      faults,
      seconds,
      workers,
    };
    this.#round = round;
    this.#written = this.#write(roundRecord(finished));
    // Whoever waits for it hears of a failure; until then nobody does.
    this.#written.catch(() => undefined);
    this.#rejections.check(round, { cohort: trained.participants, totals: trained.totals });
    if (this.#unrepeatable) await this.#written;
  }

  /** The files of a finished round. The next one trains meanwhile, and waits for them before it changes what they hold. */
  async #write(record: RoundRecord): Promise<void> {
    const state = this.#checkpointDue(this.#round) ? this.#state() : undefined;
    await this.#record(record);
    if (state) await this.#save(state);
  }

  /** Cryptographic noise cannot be drawn again: every round is saved before the next, so that a crash costs no round of privacy. */
  get #unrepeatable(): boolean {
    const { mechanism, noiseSource } = this.#privacy.settings;
    return mechanism !== 'none' && noiseSource === 'cryptographic';
  }

  #checkpointDue(round: number): boolean {
    return this.#unrepeatable || round % this.#options.config.checkpoint.every === 0;
  }

  #evaluate(): Promise<EvaluationRecord> {
    const { evaluator, config } = this.#options;
    return evaluator.evaluate(this.#parameters, this.#heldOut, config.evaluation.batchSize);
  }

  async #record(unmarked: RoundRecord): Promise<void> {
    const record = markedRecord(unmarked, this.#privacy.settings.mechanism !== 'none');
    // Told at once: whoever stops the run on hearing it stops it before the next round.
    this.#options.progress?.onRound?.(record);
    await this.#options.runDirectory.appendRound(record);
  }

  /** What a checkpoint holds. Parameters and optimizer are views, which change with the next central step. */
  #state(): SavedState {
    const round = this.#round;
    const privacy = { ...this.#privacy.state(round), ...this.#canaries?.state() };
    return {
      checkpoint: {
        round,
        configHash: this.#configHash,
        parameters: this.#parameters,
        optimizer: this.#optimizer.state,
        // Some of it changes already when the next cohort is drawn.
        privacy: Object.fromEntries(Object.entries(privacy).map(([name, values]) => [name, values.slice()])),
      },
      audit: this.#canaries && auditScores(round, this.#canaries),
    };
  }

  async #save({ checkpoint, audit }: SavedState): Promise<void> {
    if (this.#savedRound === checkpoint.round) return;
    const { config, runDirectory } = this.#options;
    await runDirectory.requireOurs();
    // Before the checkpoint, from which a crash in between would go on.
    if (audit !== undefined) await runDirectory.write(AUDIT_FILE, audit);
    await saveCheckpoint(runDirectory.checkpoints, checkpoint, config.checkpoint.keep);
    this.#savedRound = checkpoint.round;
  }
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
