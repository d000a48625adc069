/** Faults of a worker in a row after which it is set aside, and for how long. */
const MAX_FAULTS = 5;
const SET_ASIDE_SECONDS = 600;
/** Names remembered at most: nobody fills the memory by making up names. */
const MAX_NAMES = 10_000;

interface Conduct {
  faults: number;
  /** When it may come back, in milliseconds; 0 while it is welcome. */
  until: number;
}

/**
 * Remembers which workers fail again and again, by the names they give themselves (host and process unless they are told another): a worker
 * that is started anew after each crash must not take shard after shard with it. A result that counts wipes the slate clean.
 */
export class WorkerConduct {
  readonly #conducts = new Map<string, Conduct>();
  readonly #maxFaults: number;
  readonly #seconds: number;

  constructor(maxFaults = MAX_FAULTS, seconds = SET_ASIDE_SECONDS) {
    this.#maxFaults = maxFaults;
    this.#seconds = seconds;
  }

  /** The worker lost a lease, failed, or sent what had to be rejected. True when it is set aside for that. */
  fault(name: string, now: number): boolean {
    const faults = (this.#conducts.get(name)?.faults ?? 0) + 1;
    const full = faults >= this.#maxFaults;
    this.#conducts.delete(name);
    // One more chance after its time, not another five.
    const conduct = full ? { faults: faults - 1, until: now + this.#seconds * 1000 } : { faults, until: 0 };
    this.#conducts.set(name, conduct);
    for (const oldest of this.#conducts.keys()) {
      if (this.#conducts.size <= MAX_NAMES) break;
      this.#conducts.delete(oldest);
    }
    return full;
  }

  /** A result of the worker was summed. */
  delivered(name: string): void {
    this.#conducts.delete(name);
  }

  /** Seconds until the worker may come back; 0 when it is welcome. */
  secondsAside(name: string, now: number): number {
    const until = this.#conducts.get(name)?.until ?? 0;
    return Math.max(0, Math.ceil((until - now) / 1000));
  }
}
