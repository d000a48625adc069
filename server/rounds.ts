import type { RoundSettings } from '../client/round-settings.ts';
import { ProtocolError } from '../errors.ts';
import type { RoundAggregator, RoundTotals, SumLimits } from './aggregation.ts';
import type { FaultRecord } from './faults.ts';
import type { ShardPlanner } from './shard-planner.ts';
import type { DeliveredShard } from './shard-result.ts';
import type { Simulation, SimulationRecord } from './simulation.ts';

/** The round under way was given up because the run is to end and nobody is there to finish it. Nothing failed. */
export class RoundAbandoned extends ProtocolError {}

/** Trains shards of clients somewhere: the gRPC service in real runs, anything in the same process in tests. */
export interface RoundServer {
  /**
   * Has every shard trained exactly once.
   * @param parameters θ(t−1); not changed by the caller before the promise settles
   * @param onResult called once per shard, in any order; what it throws rejects the promise
   * @param onUnderWay called at most once, when the first workers train and this process has time for something else
   * @throws RoundAbandoned when the run is to end and nobody could finish the round
   */
  runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: DeliveredShard) => void,
    settings?: RoundSettings,
    onUnderWay?: () => void,
  ): Promise<void>;
  /** Workers that can train now; they decide how work is cut, and nothing else. */
  workerCount(): number;
  /** What went wrong with workers since the last call; undefined when nothing did. */
  takeFaults?(): FaultRecord | undefined;
}

/** Who trains in a round, how the work is cut, and under what settings. */
export interface CohortSettings {
  /** The ids of the round's cohort, ascending. */
  readonly draw: () => readonly number[];
  /** Awaited when the cohort is drawn, before anybody trains. */
  readonly drawn?: (() => Promise<void>) | undefined;
  /** What is to be done while the cohort trains. It may be left undone. */
  readonly meanwhile?: (() => void) | undefined;
  /** What this round changes in the workers' task, and what its clients can add to the sum. */
  readonly terms: (cohort: readonly number[]) => RoundTerms;
  /** Cuts the work for the workers there are. */
  readonly planner: ShardPlanner;
  /** Workers that are expected, if more than are connected. */
  readonly workers: number;
  /** Decides which sampled clients take part; undefined: all. */
  readonly simulation?: Simulation | undefined;
}

/** Under what terms a cohort trains. */
export interface RoundTerms {
  readonly settings?: RoundSettings | undefined;
  readonly limits: SumLimits;
}

/** A round's client side: who was sampled, and what came back. */
export interface TrainedRound {
  /** Realised cohort size: clients that were sampled. */
  readonly cohort: number;
  /** Those of them that trained: all, unless devices are simulated. */
  readonly participants: number;
  /** What became of the others. */
  readonly simulation?: SimulationRecord | undefined;
  readonly totals: RoundTotals;
  /** Wall-clock seconds of the server: drawing the cohort and cutting it into shards; checking and adding their sums. */
  readonly seconds: { readonly sampling: number; readonly summing: number };
}

/**
 * Draws the cohort of central step `round`, has it trained in shards and adds up the results. An empty cohort is a round like any other,
 * with a sum of zero.
 * @param onShard hears how many of the round's shards are done
 */
export async function trainCohort(
  server: RoundServer,
  aggregator: RoundAggregator,
  { draw, drawn, meanwhile, terms, planner, workers, simulation }: CohortSettings,
  round: number,
  parameters: Float32Array,
  onShard: (done: number, total: number) => void = () => {},
): Promise<TrainedRound> {
  const started = performance.now();
  const cohort = draw();
  const simulated = simulation?.round(round, cohort);
  const participants = simulated?.participants ?? cohort;
  const shards = planner.plan(participants, Math.max(workers, server.workerCount()));
  const sampling = secondsSince(started);
  await drawn?.();
  let summing = 0;
  // By all who were sampled: the server adds the shares of noise that those who drop out do not send.
  const { settings, limits } = terms(cohort);
  aggregator.begin(shards, limits);
  let done = 0;
  if (shards.length > 0) {
    const onResult = (index: number, result: DeliveredShard) => {
      const arrived = performance.now();
      aggregator.add(index, result);
      summing += secondsSince(arrived);
      done += 1;
      onShard(done, shards.length);
    };
    await server.runRound(round, parameters, shards, onResult, settings, meanwhile);
  }
  const totals = aggregator.finish();
  planner.learn(totals.seconds.total);
  return {
    cohort: cohort.length,
    participants: participants.length,
    simulation: simulated?.record,
    totals,
    seconds: { sampling, summing },
  };
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
