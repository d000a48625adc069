import type { ShardSeconds } from '../client/shard.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { FaultRecord } from './faults.ts';
import type { EvaluationRecord, RoundRecord, WorkerSeconds } from './records.ts';
import type { CentralStep } from './round-step.ts';
import type { TrainedRound } from './rounds.ts';

/** What is known at the end of a round. */
export interface FinishedRound {
  readonly round: number;
  readonly trained: TrainedRound;
  readonly step: CentralStep;
  readonly epsilon: number | null;
  readonly clippingBounds?: readonly number[] | undefined;
  readonly canaries?: number | undefined;
  readonly evaluation?: EvaluationRecord;
  readonly parametersSha256: string;
  readonly faults?: FaultRecord;
  /** Wall-clock seconds; the server's own share is what training and evaluation leave. */
  readonly seconds: { readonly total: number; readonly training: number; readonly evaluation: number };
  /** Workers connected when the last result came. */
  readonly workers: number;
}

/** The record of a central step. A local loss that overflowed is recorded as null, since JSON knows no infinity. */
export function roundRecord(finished: FinishedRound): RoundRecord {
  const {
    round,
    trained,
    step,
    epsilon,
    evaluation,
    parametersSha256,
    faults,
    seconds,
    workers,
    clippingBounds,
    canaries,
  } = finished;
  const { contributed, rejectedNonFinite, lossSum, infeasibleTargets } = trained.totals;
  const trainLoss = lossSum / contributed;
  return {
    round,
    cohort: trained.cohort,
    contributed,
    rejectedNonFinite,
    ...(infeasibleTargets > 0 ? { infeasibleTargets } : {}),
    trainLoss: Number.isFinite(trainLoss) ? trainLoss : null,
    learningRate: step.learningRate,
    updateNorm: step.updateNorm,
    epsilon,
    ...(clippingBounds === undefined ? {} : { clippingBounds }),
    ...(canaries === undefined ? {} : { canaries }),
    ...(evaluation === undefined ? {} : { evaluation }),
    layers: step.layers,
    parametersSha256,
    ...(faults === undefined ? {} : { faults }),
    ...(trained.simulation === undefined ? {} : { simulation: trained.simulation }),
    seconds: {
      ...seconds,
      server: seconds.total - seconds.training - seconds.evaluation,
      ...trained.seconds,
      ...step.seconds,
      workers: workerSeconds(trained.totals.seconds, workers, seconds.training),
    },
  };
}

/** A worker that joined late counts as idle before; one that left took its time with it, so idle time is never below zero. */
function workerSeconds(shards: ShardSeconds, count: number, training: number): WorkerSeconds {
  const { total: busy, data, training: localTraining, clipping } = shards;
  return { count, busy, data, localTraining, clipping, idle: Math.max(0, count * training - busy) };
}

/** The record of round 0: the evaluation before the first step, when nobody has trained and nothing is spent. */
export function initialRecord(
  layout: ParameterLayout,
  epsilon: number | null,
  evaluation: EvaluationRecord,
  parametersSha256: string,
  seconds: number,
): RoundRecord {
  const { layers } = layout;
  return {
    round: 0,
    cohort: 0,
    contributed: 0,
    rejectedNonFinite: 0,
    trainLoss: null,
    learningRate: 0,
    updateNorm: 0,
    epsilon,
    evaluation,
    layers: {
      names: layers.map(({ name }) => name),
      deltaNorms: layers.map(() => 0),
      clippedFraction: layers.map(() => 0),
      signalToNoise: layers.map(() => null),
    },
    parametersSha256,
    seconds: { total: seconds, training: 0, evaluation: seconds, server: 0 },
  };
}
