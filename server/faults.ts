import { ProtocolError } from '../errors.ts';

/** Why a message of a worker was not summed. */
export type Rejection =
  | 'wrongRun'
  | 'wrongRound'
  | 'duplicate'
  | 'notLeased'
  | 'wrongSize'
  | 'notFinite'
  | 'tooLarge'
  | 'wrongVersion'
  | 'malformed'
  | 'setAside';

/** What went wrong with workers and was made good: rejected messages, and what became of leases and workers. */
export type FaultKind = Rejection | 'leaseLost' | 'leaseExpired' | 'workerSilent' | 'workerFailed' | 'workerSetAside';

/** How often each kind of fault happened; kinds that did not are left out. */
export type FaultRecord = Readonly<Partial<Record<FaultKind, number>>>;

/** A worker's message is refused, for one of the reasons that are counted. */
export class RejectedMessage extends ProtocolError {
  readonly reason: Rejection;

  constructor(reason: Rejection, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Counts faults, for the run and for the round under way. */
export class FaultCounts {
  readonly #total = new Map<FaultKind, number>();
  readonly #recent = new Map<FaultKind, number>();

  add(kind: FaultKind, times = 1): void {
    for (const counts of [this.#total, this.#recent]) counts.set(kind, (counts.get(kind) ?? 0) + times);
  }

  /** Faults of this kind since the start. */
  of(kind: FaultKind): number {
    return this.#total.get(kind) ?? 0;
  }

  /** All faults since the start. */
  get total(): FaultRecord {
    return Object.fromEntries(this.#total);
  }

  /** The faults since the last call; undefined when there were none. */
  take(): FaultRecord | undefined {
    if (this.#recent.size === 0) return undefined;
    const taken = Object.fromEntries(this.#recent);
    this.#recent.clear();
    return taken;
  }
}
