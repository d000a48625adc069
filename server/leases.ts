/** One shard given to one worker. */
export interface Lease {
  readonly shard: number;
  /** Counts how often the shard was leased in this round, from 1. */
  readonly attempt: number;
  readonly worker: number;
}

interface ShardEntry {
  attempts: number;
  failures: number;
  done: boolean;
  /** The lease that still counts; absent while the shard is queued or done. */
  active: { readonly lease: Lease; readonly since: number } | undefined;
}

/**
 * Which shards of one round are queued, leased and done. Every shard is completed exactly once, by the first result to come,
 * whichever attempt it is from: all attempts give the same bits. Pure bookkeeping; times are in milliseconds from any origin.
 */
export class LeaseBook {
  private readonly entries: ShardEntry[];
  /** Shards to lease, the next one last. */
  private readonly queue: number[];
  private readonly timeout: number;
  private remaining: number;

  /**
   * @param shards number of shards in the round
   * @param timeout milliseconds after which a lease goes back to the queue
   */
  constructor(shards: number, timeout: number) {
    this.entries = Array.from({ length: shards }, () => ({
      attempts: 0,
      failures: 0,
      done: false,
      active: undefined,
    }));
    this.queue = Array.from({ length: shards }, (_, index) => shards - 1 - index);
    this.timeout = timeout;
    this.remaining = shards;
  }

  /** Whether every shard is done. */
  get complete(): boolean {
    return this.remaining === 0;
  }

  /** Number of leases that have neither ended nor timed out. */
  get active(): number {
    return this.entries.reduce((count, entry) => count + (entry.active === undefined ? 0 : 1), 0);
  }

  /** Leases the next queued shard to `worker`; undefined when none is queued. */
  lease(worker: number, now: number): Lease | undefined {
    for (let shard = this.queue.pop(); shard !== undefined; shard = this.queue.pop()) {
      const entry = this.entries[shard];
      // A shard that timed out can still be completed, while queued, by its slow first worker.
      if (entry.done) continue;
      entry.attempts += 1;
      const lease = { shard, attempt: entry.attempts, worker };
      entry.active = { lease, since: now };
      return lease;
    }
    return undefined;
  }

  /** Whether a result for this shard has been accepted. */
  isDone(shard: number): boolean {
    return this.entries[shard]?.done ?? false;
  }

  /** Marks the shard of `lease` done; false when it was done before, and the result must be dropped. */
  finish(lease: Lease): boolean {
    const entry = this.entries[lease.shard];
    if (entry.done) return false;
    entry.done = true;
    entry.active = undefined;
    this.remaining -= 1;
    return true;
  }

  /** The worker is lost: its leases go back to the queue, to be leased before all others. Returns them. */
  release(worker: number): Lease[] {
    return this.requeue((lease) => lease.worker === worker);
  }

  /** Puts back the leases older than the time-out. Returns them. */
  expire(now: number): Lease[] {
    return this.requeue((_, since) => now - since >= this.timeout);
  }

  /** Puts back the leases of workers that are not heard of; they may still deliver. Returns them. */
  suspect(silent: (worker: number) => boolean): Lease[] {
    return this.requeue(({ worker }) => silent(worker));
  }

  /** Notes that an attempt at the shard came to nothing; returns how many did. */
  failed(shard: number): number {
    this.entries[shard].failures += 1;
    return this.entries[shard].failures;
  }

  private requeue(ended: (lease: Lease, since: number) => boolean): Lease[] {
    const leases: Lease[] = [];
    for (const entry of this.entries) {
      if (entry.active === undefined || !ended(entry.active.lease, entry.active.since)) continue;
      leases.push(entry.active.lease);
      this.queue.push(entry.active.lease.shard);
      entry.active = undefined;
    }
    return leases;
  }
}
