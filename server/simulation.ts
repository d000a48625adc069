import type { LocalConfig } from '../client/config.ts';
import { expectedSteps } from '../client/expected-work.ts';
import type { FederatedDataset } from '../data/dataset.ts';
import { ConfigError } from '../errors.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { type Device, deviceOf, hourOfRound, luckOf } from './devices.ts';
import type { RunConfig } from './run-config.ts';
import type { SimulationConfig } from './simulation-config.ts';

/** What became of a round's sampled clients on simulated devices. Not covered by differential privacy. */
export interface SimulationRecord {
  /** Sampled clients whose delta did not count, by the first reason that applied. */
  readonly unavailable: number;
  readonly lostBeforeTraining: number;
  readonly lostAfterTraining: number;
  readonly missedDeadline: number;
  /** Simulated seconds until the last result, or until the deadline when a sampled client failed to send one. */
  readonly seconds: number;
  /** Hour of the day at which the round started; only with `roundSeconds`. */
  readonly hour?: number;
  /** Bytes of parameters received and of deltas sent (float32) by all clients; transfers that the deadline cut off do not count. */
  readonly downloadBytes: number;
  readonly uploadBytes: number;
}

/** A simulated round before anybody trains: whose delta will be summed, and the record. */
export interface SimulatedRound {
  readonly participants: readonly number[];
  readonly record: SimulationRecord;
}

/** How one client fares. */
type Fate = 'unavailable' | 'lostBeforeTraining' | 'lostAfterTraining' | 'missedDeadline' | 'summed';

/** What the simulation needs to know of a run. */
export interface SimulationSubject {
  readonly seed: number | string;
  readonly local: LocalConfig;
  readonly dataset: Pick<FederatedDataset, 'expectedWork'>;
  /** Number of parameters; they travel as float32. */
  readonly parameters: number;
}

/**
 * Simulated devices. Whether a client's delta counts depends on that client alone: its own draws, device and number of examples, and the
 * round. Nobody is left out because enough others were faster, since the presence of one user would then decide about the delta of another,
 * and the sum could change by more than the clipping bound.
 */
export class Simulation {
  readonly #settings: SimulationConfig;
  readonly #subject: SimulationSubject;
  readonly #bytes: number;

  /** @throws ConfigError when the time of training is asked for and the data set does not tell how many examples a user has */
  constructor(settings: SimulationConfig, subject: SimulationSubject) {
    this.#settings = settings;
    this.#subject = subject;
    this.#bytes = 4 * subject.parameters;
    if (settings.compute !== undefined && expectedSteps(subject.dataset, subject.local, 0) === undefined) {
      throw new ConfigError(
        'simulation.compute: this data set does not tell how many examples a user has; set local.steps in place of local.epochs',
      );
    }
  }

  /** @param sampled the cohort of central step `round` */
  round(round: number, sampled: readonly number[]): SimulatedRound {
    const { deadlineSeconds, roundSeconds } = this.#settings;
    const participants: number[] = [];
    const counts = { unavailable: 0, lostBeforeTraining: 0, lostAfterTraining: 0, missedDeadline: 0, summed: 0 };
    let last = 0;
    let downloads = 0;
    for (const id of sampled) {
      const { fate, seconds, downloaded } = this.#client(round, id);
      counts[fate] += 1;
      if (downloaded) downloads += 1;
      if (fate !== 'summed') continue;
      participants.push(id);
      last = Math.max(last, seconds);
    }
    const { summed, ...lost } = counts;
    const seconds = summed < sampled.length ? (deadlineSeconds ?? last) : last;
    const hour = roundSeconds === undefined ? {} : { hour: hourOfRound(this.#settings, round) };
    const traffic = { downloadBytes: downloads * this.#bytes, uploadBytes: summed * this.#bytes };
    return { participants, record: { ...lost, seconds, ...hour, ...traffic } };
  }

  #client(round: number, id: number): { fate: Fate; seconds: number; downloaded: boolean } {
    const { seed, local, dataset } = this.#subject;
    const { deadlineSeconds = Number.POSITIVE_INFINITY } = this.#settings;
    const device = deviceOf(this.#settings, seed, id);
    const luck = luckOf(this.#settings, seed, round, id, device);
    if (!luck.available) return { fate: 'unavailable', seconds: 0, downloaded: false };
    if (luck.lostBefore) return { fate: 'lostBeforeTraining', seconds: 0, downloaded: false };
    const steps = expectedSteps(dataset, local, id) ?? 0;
    const { download, seconds } = timesOf(device, steps, this.#bytes);
    const downloaded = download <= deadlineSeconds;
    if (luck.lostAfter) return { fate: 'lostAfterTraining', seconds, downloaded };
    if (seconds > deadlineSeconds) return { fate: 'missedDeadline', seconds, downloaded };
    return { fate: 'summed', seconds, downloaded };
  }
}

/** Seconds until a device has the parameters, and until its delta has arrived. */
export function timesOf(device: Device, steps: number, bytes: number): { download: number; seconds: number } {
  const download = bytes / device.download;
  return { download, seconds: download + steps * device.secondsPerStep + bytes / device.upload };
}

/** The simulation that a configuration asks for; undefined when it asks for none. @throws ConfigError as the constructor does */
export function simulationOf(
  { simulation, seed, local }: Pick<RunConfig, 'simulation' | 'seed' | 'local'>,
  dataset: SimulationSubject['dataset'],
  layout: ParameterLayout,
): Simulation | undefined {
  if (simulation === undefined) return undefined;
  return new Simulation(simulation, { seed, local, dataset, parameters: layout.size });
}
