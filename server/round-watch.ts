import type { ProtocolError } from '../errors.ts';
import type { RoundDispatch } from './round-dispatch.ts';
import type { AggregationOptions } from './service-options.ts';
import { WorkerWait } from './worker-wait.ts';

/** After which seconds something is done about a round. */
export type RoundLimits = Pick<AggregationOptions, 'leaseTimeoutSeconds' | 'silenceSeconds' | 'waitForWorkersSeconds'>;

/** What the watch asks, and whom it tells. */
export interface RoundWatcher {
  /** Workers that are connected. */
  readonly workers: () => number;
  /** There may be shards to give to those who wait. */
  readonly serve: () => void;
  /** The round has waited for workers long enough. */
  readonly hopeless: (error: ProtocolError) => void;
  readonly notice: (line: string) => void;
}

/**
 * Looks after a round, several times within the shortest of its limits: for leases that ran out, workers that fell silent, and whether there
 * are workers at all.
 * @returns ends the watch
 */
export function watchRound(
  dispatch: Pick<RoundDispatch, 'sweep' | 'suspect'>,
  options: RoundLimits,
  { workers, serve, hopeless, notice }: RoundWatcher,
): () => void {
  const { leaseTimeoutSeconds = 600, silenceSeconds = 60 } = options;
  const { waitForWorkersSeconds: waitSeconds = Number.POSITIVE_INFINITY } = options;
  const period = Math.max(10, Math.min(250 * leaseTimeoutSeconds, 250 * silenceSeconds, 250 * waitSeconds, 5000));
  const wait = new WorkerWait(waitSeconds, notice);
  let last = performance.now();
  const sweeper = setInterval(() => {
    const now = performance.now();
    // After a pause of this process itself, what workers said meanwhile is still to be read.
    const listened = now - last < 2 * period + 100;
    last = now;
    const expired = dispatch.sweep(now, workers());
    const silent = listened && dispatch.suspect(({ heard }) => now - heard > 1000 * silenceSeconds);
    if (expired || silent) serve();
    const error = wait.check(now, workers());
    if (error !== undefined) hopeless(error);
  }, period);
  return () => clearInterval(sweeper);
}
