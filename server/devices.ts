import { standardNormal } from '../random/normal.ts';
import { namedStream } from '../random/stream.ts';
import type { SimulationConfig } from './simulation-config.ts';

/** What a simulated device is, for the whole run. */
export interface Device {
  /** Seconds of one local step. */
  readonly secondsPerStep: number;
  /** Bytes per second; infinite when bandwidth is not simulated. */
  readonly download: number;
  readonly upload: number;
  /** Hours that its clock is ahead of the server's. */
  readonly timeZone: number;
}

/** What chance does to a client in one round, were it sampled. */
export interface Luck {
  readonly available: boolean;
  readonly lostBefore: boolean;
  readonly lostAfter: boolean;
}

const BYTES_PER_MEGABIT = 125_000;

/** The device of user `id`: drawn from the stream (seed, 'simulation-device', id), the same in all rounds. */
export function deviceOf(settings: SimulationConfig, seed: number | string, id: number): Device {
  const { compute, bandwidth, availability } = settings;
  const random = namedStream(seed, 'simulation-device', id);
  // All are drawn, always: one setting does not change the draws of another.
  const slowness = Math.exp((compute?.spread ?? 0) * standardNormal(random));
  const speed = Math.exp((bandwidth?.spread ?? 0) * standardNormal(random));
  const zones = availability?.timeZones ?? [0];
  const rate = (megabits: number | undefined) =>
    megabits === undefined ? Number.POSITIVE_INFINITY : megabits * BYTES_PER_MEGABIT * speed;
  return {
    secondsPerStep: (compute?.secondsPerStep ?? 0) * slowness,
    download: rate(bandwidth?.downloadMbps),
    upload: rate(bandwidth?.uploadMbps),
    timeZone: zones[random.integer(zones.length)],
  };
}

/** The draws of user `id` in a round, from the stream (seed, 'simulation-round', round, id): independent of everybody else's. */
export function luckOf(
  settings: SimulationConfig,
  seed: number | string,
  round: number,
  id: number,
  device: Device,
): Luck {
  const random = namedStream(seed, 'simulation-round', round, id);
  const hour = hourOfRound(settings, round) + device.timeZone;
  return {
    available: random.uniform() < availableAt(settings, hour),
    lostBefore: random.uniform() < settings.dropout.beforeTraining,
    lostAfter: random.uniform() < settings.dropout.afterTraining,
  };
}

/** The hour of the day, on the server's clock, at which a round starts. */
export function hourOfRound({ startHour, roundSeconds = 0 }: SimulationConfig, round: number): number {
  return (startHour + ((round - 1) * roundSeconds) / 3600) % 24;
}

/** Part of the devices available at an hour of their own day. */
export function availableAt({ availability }: SimulationConfig, hour: number): number {
  if (availability === undefined) return 1;
  const { peak, trough, peakHour } = availability;
  return trough + ((peak - trough) * (1 + Math.cos(((hour - peakHour) / 12) * Math.PI))) / 2;
}
