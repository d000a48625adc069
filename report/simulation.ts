import type { RoundRecord } from '../server/records.ts';
import type { SimulationConfig } from '../server/simulation-config.ts';
import { NOT_COVERED, type NotCovered } from './training.ts';

/** What the run would have been on the simulated devices. Parts are of all sampled clients of all rounds. */
export interface SimulationSection extends NotCovered {
  /** From the start of round 1 to the end of the last, or to the start of the one after it when rounds start at fixed times. */
  readonly seconds: number;
  readonly meanRoundSeconds: number;
  readonly longestRoundSeconds: number;
  readonly summed: number;
  readonly unavailable: number;
  readonly lostBeforeTraining: number;
  readonly lostAfterTraining: number;
  readonly missedDeadline: number;
  /** Float32 parameters and deltas, without the overhead of any protocol; a client that was sampled n times counts n times. */
  readonly downloadBytesPerClient: number;
  readonly uploadBytesPerClient: number;
}

/** Adds up what the records say of simulated devices; null without a `simulation` section, and before the first round. */
export function simulationSection(
  rounds: readonly RoundRecord[],
  settings: SimulationConfig | undefined,
): SimulationSection | null {
  const simulated = rounds.flatMap(({ cohort, simulation }) => (simulation ? [{ cohort, ...simulation }] : []));
  if (settings === undefined || simulated.length === 0) return null;
  type Figure = Exclude<keyof (typeof simulated)[number], 'hour'>;
  const total = (figure: Figure) => simulated.reduce((sum, round) => sum + round[figure], 0);
  const clients = Math.max(1, total('cohort'));
  const lost = {
    unavailable: total('unavailable') / clients,
    lostBeforeTraining: total('lostBeforeTraining') / clients,
    lostAfterTraining: total('lostAfterTraining') / clients,
    missedDeadline: total('missedDeadline') / clients,
  };
  const { roundSeconds } = settings;
  return {
    ...NOT_COVERED,
    seconds: roundSeconds === undefined ? total('seconds') : simulated.length * roundSeconds,
    meanRoundSeconds: total('seconds') / simulated.length,
    longestRoundSeconds: simulated.reduce((longest, { seconds }) => Math.max(longest, seconds), 0),
    summed: 1 - lost.unavailable - lost.lostBeforeTraining - lost.lostAfterTraining - lost.missedDeadline,
    ...lost,
    downloadBytesPerClient: total('downloadBytes') / clients,
    uploadBytesPerClient: total('uploadBytes') / clients,
  };
}
