import type { FaultRecord } from '../server/faults.ts';
import type { EvaluationRecord, RoundRecord } from '../server/records.ts';
import { type Metric, metricOf } from './format.ts';

/**
 * Sections with this mark come from users' raw contributions, or from measurements no noise was added to:
 * the guarantee does not cover their publication.
 */
export interface NotCovered {
  readonly coveredByDifferentialPrivacy: false;
}
export const NOT_COVERED: NotCovered = { coveredByDifferentialPrivacy: false };

/** One evaluation of the model on held-out examples. */
export interface AccuracyPoint extends EvaluationRecord {
  readonly round: number;
  /** Cumulative epsilon of the model that was evaluated; null without noise. */
  readonly epsilon: number | null;
}

export interface AccuracySection extends NotCovered {
  readonly metric: Metric;
  /** The model federated learning started from (round 0). */
  readonly before: AccuracyPoint;
  /** The model after the last evaluated round. */
  readonly after: AccuracyPoint;
  readonly overRounds: readonly AccuracyPoint[];
}

/** Accuracy before, after and over rounds; null when nothing was evaluated. */
export function accuracySection(rounds: readonly RoundRecord[]): AccuracySection | null {
  const overRounds = rounds.flatMap(({ round, epsilon, evaluation }) =>
    evaluation ? [{ round, epsilon, ...evaluation }] : [],
  );
  if (overRounds.length === 0) return null;
  const after = overRounds[overRounds.length - 1];
  return { ...NOT_COVERED, metric: metricOf(after), before: overRounds[0], after, overRounds };
}

/** One layer's figures over the whole run. */
export interface LayerRow {
  readonly name: string;
  /** Mean norm of a client's delta before clipping. */
  readonly meanDeltaNorm: number | null;
  /** Fraction of client deltas clipped in this layer. */
  readonly clippedFraction: number | null;
  /** Mean over rounds of the signal-to-noise ratio of the average; null without noise. */
  readonly signalToNoise: number | null;
}

export interface LayerSection extends NotCovered {
  readonly rows: readonly LayerRow[];
}

/** Per-layer means: of client deltas over all clients of all rounds, of signal-to-noise over rounds. */
export function layerSection(rounds: readonly RoundRecord[]): LayerSection {
  const trained = rounds.filter(({ round }) => round > 0);
  const names = trained.find(({ layers }) => layers.names.length > 0)?.layers.names ?? [];
  const rows = names.map((name, layer) => {
    const clients = (record: RoundRecord) => record.contributed;
    return {
      name,
      meanDeltaNorm: mean(trained, (record) => record.layers.deltaNorms[layer], clients),
      clippedFraction: mean(trained, (record) => record.layers.clippedFraction[layer], clients),
      signalToNoise: mean(
        trained,
        (record) => record.layers.signalToNoise[layer],
        () => 1,
      ),
    };
  });
  return { ...NOT_COVERED, rows };
}

/** Weighted mean of what is known; null when nothing is. */
function mean(
  records: readonly RoundRecord[],
  value: (record: RoundRecord) => number | null | undefined,
  weight: (record: RoundRecord) => number,
): number | null {
  let sum = 0;
  let total = 0;
  for (const record of records) {
    const known = value(record);
    if (known === null || known === undefined || !Number.isFinite(known) || weight(record) === 0) continue;
    sum += known * weight(record);
    total += weight(record);
  }
  return total > 0 ? sum / total : null;
}

export interface CohortSection extends NotCovered {
  readonly expected: number;
  readonly mean: number;
  readonly smallest: number;
  readonly largest: number;
  /** Rounds in which nobody was sampled; noise was added and accounted all the same. */
  readonly emptyRounds: number;
  /** Client deltas that entered a sum, and those dropped because they were not finite. */
  readonly contributed: number;
  readonly rejectedNonFinite: number;
  /** CTC targets that did not fit into their frames and were skipped, each time a local step met one. */
  readonly infeasibleTargets: number;
}

/** How large the Poisson-sampled cohorts turned out; null before the first round. */
export function cohortSection(rounds: readonly RoundRecord[], expected: number): CohortSection | null {
  const trained = rounds.filter(({ round }) => round > 0);
  if (trained.length === 0) return null;
  const sizes = trained.map(({ cohort }) => cohort);
  return {
    ...NOT_COVERED,
    expected,
    mean: total(sizes) / sizes.length,
    // reduce, not Math.min(...): a run may have more rounds than a call can have arguments
    smallest: sizes.reduce((a, b) => Math.min(a, b)),
    largest: sizes.reduce((a, b) => Math.max(a, b)),
    emptyRounds: sizes.filter((size) => size === 0).length,
    contributed: total(trained.map(({ contributed }) => contributed)),
    rejectedNonFinite: total(trained.map(({ rejectedNonFinite }) => rejectedNonFinite)),
    infeasibleTargets: total(trained.map(({ infeasibleTargets = 0 }) => infeasibleTargets)),
  };
}

export interface TimingSection extends NotCovered {
  /** Wall-clock seconds of all rounds, and what they were spent on. */
  readonly totalSeconds: number;
  readonly trainingSeconds: number;
  readonly evaluationSeconds: number;
  readonly serverSeconds: number;
  /** Clients trained per second of client training, all workers together; null when none was. */
  readonly clientsPerSecond: number | null;
  /** Part of the workers' time spent on clients, the rest on waiting and handing over; null when it was not recorded. */
  readonly workersBusy: number | null;
  /** What went wrong with workers and was made good, over all rounds; empty when nothing did. */
  readonly faults: FaultRecord;
}

/** Where the time went. */
export function timingSection(rounds: readonly RoundRecord[]): TimingSection {
  const trainingSeconds = total(rounds.map(({ seconds }) => seconds.training));
  const clients = total(rounds.map(({ cohort }) => cohort));
  return {
    ...NOT_COVERED,
    totalSeconds: total(rounds.map(({ seconds }) => seconds.total)),
    trainingSeconds,
    evaluationSeconds: total(rounds.map(({ seconds }) => seconds.evaluation)),
    serverSeconds: total(rounds.map(({ seconds }) => seconds.server)),
    clientsPerSecond: trainingSeconds > 0 ? clients / trainingSeconds : null,
    workersBusy: busyPart(rounds),
    faults: totalFaults(rounds),
  };
}

function totalFaults(rounds: readonly RoundRecord[]): FaultRecord {
  const totals: Record<string, number> = {};
  for (const [kind, times] of rounds.flatMap(({ faults }) => Object.entries(faults ?? {}))) {
    totals[kind] = (totals[kind] ?? 0) + times;
  }
  return totals;
}

function busyPart(rounds: readonly RoundRecord[]): number | null {
  const busy = total(rounds.map(({ seconds }) => seconds.workers?.busy ?? 0));
  const idle = total(rounds.map(({ seconds }) => seconds.workers?.idle ?? 0));
  return busy > 0 ? busy / (busy + idle) : null;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
