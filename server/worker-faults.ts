import { ProtocolError } from '../errors.ts';
import { type FaultCounts, RejectedMessage, type Rejection } from './faults.ts';
import { WorkerConduct } from './worker-conduct.ts';
import type { WorkerSession } from './worker-session.ts';

/** A worker's stream, as far as faults go. */
type Culprit = Pick<WorkerSession, 'name'>;

/** What decides on faults, and who hears of them. */
export interface WorkerFaultsOptions {
  /** Where faults are counted. */
  readonly counts: FaultCounts;
  /** Decides which workers are set aside. */
  readonly conduct?: WorkerConduct | undefined;
  /** Seconds to wait for a healthy worker after a worker has failed and none is left. Default 5. */
  readonly failureGraceSeconds?: number | undefined;
  /** Workers that could take a lease. */
  readonly workers: () => number;
  /** Whether the server is closed: nobody is blamed for hanging up then. */
  readonly closed: () => boolean;
  /** Ends the run. */
  readonly fail: (error: ProtocolError) => void;
  readonly log: (line: string) => void;
  readonly notice: (line: string) => void;
}

/**
 * What follows from the faults of workers: they are counted by kind and told, and held against the worker, who is set aside after
 * many in a row. One worker's failure is its own; when no other worker comes forward within the grace time, it is the run's.
 */
export class WorkerFaults {
  readonly #options: WorkerFaultsOptions;
  readonly #conduct: WorkerConduct;
  /** What each failing worker was last blamed for; its stream ends soon after. */
  readonly #blamed = new WeakMap<Culprit, string>();
  #failureTimer: NodeJS.Timeout | undefined;

  constructor(options: WorkerFaultsOptions) {
    this.#options = options;
    this.#conduct = options.conduct ?? new WorkerConduct();
  }

  /** Why a worker of this name is turned away; undefined when it is welcome. */
  objection(name: string): RejectedMessage | undefined {
    const seconds = this.#conduct.secondsAside(name, performance.now());
    if (seconds === 0) return undefined;
    const message = `worker '${name}' failed again and again and is set aside for another ${seconds} s; see the server's log for why`;
    return new RejectedMessage('setAside', message);
  }

  /** A result of the worker was summed. */
  delivered(session: Culprit): void {
    this.#conduct.delivered(session.name);
  }

  /** A result of the worker was not summed, for it came late or uncalled for: that is not held against the worker. */
  rejected(session: Culprit, why: Rejection): void {
    this.#options.counts.add(why);
    this.#options.log(`a result of worker '${session.name}' was rejected (${why})`);
  }

  /** The worker broke the protocol and was refused. */
  broke(session: Culprit, error: ProtocolError): void {
    this.#options.counts.add(error instanceof RejectedMessage ? error.reason : 'malformed');
    this.#blame(session, error.message);
    this.#options.notice(`worker '${session.name}' was refused: ${error.message}`);
  }

  /** The worker cannot go on, for the reason it gave. Called when `workers` no longer counts it. */
  failed(session: Culprit, message: string): void {
    this.#options.counts.add('workerFailed');
    this.#blame(session, `worker '${session.name}' failed: ${message}`);
    this.#options.log(`worker '${session.name}' failed: ${message}`);
    if (this.#failureTimer !== undefined || this.#options.closed()) return;
    const { failureGraceSeconds = 5 } = this.#options;
    this.#failureTimer = setTimeout(() => {
      this.#failureTimer = undefined;
      if (this.#options.workers() > 0) return;
      this.#options.fail(new ProtocolError(`every worker failed; the first ('${session.name}') reported: ${message}`));
    }, failureGraceSeconds * 1000);
  }

  /** The worker's stream ended while it held a lease. */
  lostLease(session: Culprit): void {
    this.#blame(session, `worker '${session.name}' was lost`);
  }

  /** What the worker of this stream was blamed for; empty when it was not. */
  reason(session: Culprit): string {
    return this.#blamed.get(session) ?? '';
  }

  /** Waits for no other worker any more. */
  stop(): void {
    clearTimeout(this.#failureTimer);
  }

  /** Holds a fault against the worker, once per stream; many in a row set it aside. */
  #blame(session: Culprit, reason: string): void {
    if (this.#blamed.has(session) || this.#options.closed()) return;
    this.#blamed.set(session, reason);
    if (!this.#conduct.fault(session.name, performance.now())) return;
    this.#options.counts.add('workerSetAside');
    this.#options.notice(`worker '${session.name}' failed again and again and is set aside; last: ${reason}`);
  }
}
