/** The record types of a run directory: what `rounds.jsonl` and `manifest.json` hold, and what reports are made from. */

import type { FaultRecord } from './faults.ts';
import type { SimulationRecord } from './simulation.ts';

/** Accuracy on held-out examples. Which fields are present depends on the task. Not covered by differential privacy. */
export interface EvaluationRecord {
  readonly examples: number;
  readonly loss: number;
  /** Classification: fraction of examples with the right top-1 class. */
  readonly accuracy?: number;
  /** Transcription: word and character error rate, 1 = 100 %. */
  readonly wer?: number;
  readonly cer?: number;
  /** CTC: examples whose target does not fit into its frames; they add nothing to the loss. */
  readonly infeasible?: number;
}

/** Per-layer figures of one round; arrays follow the layout's order of layers. */
export interface LayerStatistics {
  readonly names: readonly string[];
  /** Mean over clients of the norm of each layer's delta, before clipping; null with local noise. Not covered by differential privacy. */
  readonly deltaNorms: readonly (number | null)[];
  /** Fraction of clients whose layer was clipped; null with local noise. Not covered by differential privacy. */
  readonly clippedFraction: readonly (number | null)[];
  /** Norm of the exact (noiseless) average over the expected norm of the noise on it; null without noise. Not private. */
  readonly signalToNoise: readonly (number | null)[];
}

/** One line of `rounds.jsonl`. */
export interface RoundRecord {
  /** Central step, 1 … T. Round 0 is the evaluation before the first step. */
  readonly round: number;
  /** Realised cohort size of the Poisson sample. */
  readonly cohort: number;
  /** Clients whose delta entered the sum, and those dropped for non-finite deltas. */
  readonly contributed: number;
  readonly rejectedNonFinite: number;
  /** CTC: how often a local step met a target that does not fit into its frames, and skipped it; absent when never. Not private. */
  readonly infeasibleTargets?: number;
  /** Mean local training loss over contributing clients (null for an empty cohort, and with local noise). Not private. */
  readonly trainLoss: number | null;
  readonly learningRate: number;
  /** Norm of the pseudo-gradient after noise and division. */
  readonly updateNorm: number;
  /** Cumulative epsilon at the configured delta after this round; null without noise and, accounted by PLD, in rounds without evaluation. */
  readonly epsilon: number | null;
  /** Clipping bounds of this round where they adapt: one, or one per layer. Covered by differential privacy. */
  readonly clippingBounds?: readonly number[];
  /** Canaries of the audit that took part, beside the cohort; only with `privacy.audit`. Not private. */
  readonly canaries?: number;
  readonly evaluation?: EvaluationRecord;
  readonly layers: LayerStatistics;
  /** SHA-256 (hex) of the parameters after the round; absent in runs of earlier versions. */
  readonly parametersSha256?: string;
  /** What went wrong with workers during the round, and was made good without a trace in the other fields. */
  readonly faults?: FaultRecord;
  /** What became of the sampled clients on simulated devices; only with a `simulation` section. Not private. */
  readonly simulation?: SimulationRecord;
  readonly seconds: RoundSeconds;
  /** Fields, here or in other records of the run, that no noise was added to: differential privacy does not cover them. Absent in runs of earlier versions. */
  readonly notCovered?: readonly string[];
}

/** Wall-clock seconds of a round. The only part of a record that is not the same when a run is repeated. */
export interface RoundSeconds {
  readonly total: number;
  /** Sampling, and waiting for the workers' results. */
  readonly training: number;
  readonly evaluation: number;
  /** What is left of the total: the ledger, noise, optimizer. */
  readonly server: number;
  /** Parts of `training` and `server`; absent in round 0. */
  readonly sampling?: number;
  readonly summing?: number;
  readonly noise?: number;
  readonly optimizer?: number;
  /** What the workers did while the server waited, added up over workers; absent in round 0. */
  readonly workers?: WorkerSeconds;
}

/** Seconds of all workers of a round. What is left of `busy` is bookkeeping. */
export interface WorkerSeconds {
  /** Workers at the end of the round's training. */
  readonly count: number;
  /** Working on shards: opening data, in the training session, clipping. */
  readonly busy: number;
  readonly data: number;
  readonly localTraining: number;
  readonly clipping: number;
  /** Waiting for parameters and leases, and handing over results. */
  readonly idle: number;
}
