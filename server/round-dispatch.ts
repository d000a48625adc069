import { PrivacyError, ProtocolError } from '../errors.ts';
import { encodeClientIds } from '../proto/client-ids.ts';
import type { ShardHeader__Output } from '../proto/generated/dpfl/v1/ShardHeader.ts';
import { RejectedMessage, type Rejection } from './faults.ts';
import { type Lease, LeaseBook } from './leases.ts';
import type { RoundWork } from './round-work.ts';
import { type DeliveredShard, shardResultOf } from './shard-result.ts';
import type { WorkerSession } from './worker-session.ts';

/** One that is trained, and one whose sum is on its way. */
const MOST_LEASES = 2;

/** One round in progress: gives shards to workers, and accepts each shard's first result. */
export class RoundDispatch {
  /** Settles when every shard is done, or the round cannot be completed. */
  readonly finished: Promise<void>;
  private readonly work: RoundWork;
  private readonly book: LeaseBook;
  /**
   * The leases each worker works on, at most two: it asks for the next when it begins to send the sum of the one before. A timed-out one stays,
   * as its result may still be the first.
   */
  private readonly held = new Map<WorkerSession, readonly Lease[]>();
  private settle: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  private open = true;
  private stalledSince: number | undefined;
  private underWay = false;

  constructor(work: RoundWork) {
    this.work = work;
    this.book = new LeaseBook(work.shards.length, work.leaseTimeoutSeconds * 1000);
    this.settle = { resolve: () => undefined, reject: () => undefined };
    this.finished = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    if (this.book.complete) this.end();
  }

  /** Whether a worker that asks for a lease may have one now, or has to deliver before. */
  mayTake(session: WorkerSession): boolean {
    return this.leases(session).length < MOST_LEASES;
  }

  /** Leases a shard to a waiting worker, and sends it the parameters first if it lacks them; false when no shard is queued. */
  assign(session: WorkerSession): boolean {
    if (!this.open) return false;
    const lease = this.book.lease(session.id, performance.now());
    if (lease === undefined) return false;
    if (lease.attempt > 1 && this.work.once) {
      this.fail(
        new PrivacyError(
          `round ${this.work.round}: the worker of shard ${lease.shard} is lost or late, and a second message of its clients, with other noise, is not accounted; resume the run, which counts this round for everybody`,
        ),
      );
      return false;
    }
    this.work.tally.shardsLeased += 1;
    this.held.set(session, [...this.leases(session), lease]);
    void this.send(session, lease);
    return true;
  }

  /** Whether the worker has a lease in this round. */
  holds(session: WorkerSession): boolean {
    return this.held.has(session);
  }

  /** Why a result with this header would be rejected; undefined when it is wanted. */
  objection(session: WorkerSession, header: ShardHeader__Output): Rejection | undefined {
    const { runId, round } = this.work;
    if (header.runId !== runId) return 'wrongRun';
    if (header.round !== round) return 'wrongRound';
    if (this.book.isDone(header.shard)) return 'duplicate';
    return this.leaseOf(session, header) === undefined ? 'notLeased' : undefined;
  }

  /**
   * Takes the result of a session whose header met no objection. It is passed on if it is the shard's first.
   * @throws RejectedMessage when it is malformed, or `onResult` refuses it so: the shard is then still to be trained
   */
  accept(session: WorkerSession, header: ShardHeader__Output, sum: DeliveredShard['sum']): Rejection | undefined {
    const objection = this.open ? this.objection(session, header) : 'wrongRound';
    const lease = this.leaseOf(session, header);
    if (objection !== undefined || lease === undefined) return objection ?? 'notLeased';
    const result = shardResultOf(header, this.work.shards[lease.shard].length, this.work.layers, this.work.silent, sum);
    try {
      this.work.onResult(lease.shard, result);
    } catch (error) {
      if (error instanceof RejectedMessage) throw error;
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
    this.drop(session, lease);
    this.book.finish(lease);
    this.work.tally.shardsAccepted += 1;
    this.stalledSince = undefined;
    if (this.book.complete) this.end();
    return undefined;
  }

  /** The worker is lost, for the given reason: its shards go back to the queue. True when there is one to lease anew. */
  release(session: WorkerSession, reason: string): boolean {
    const lost = this.leases(session);
    this.held.delete(session);
    const returned = this.book.release(session.id);
    for (const lease of lost) {
      this.work.faults.add('leaseLost');
      this.countFailure(lease, reason);
    }
    return this.open && returned.length > 0;
  }

  /** Puts back the shards of workers that were not heard of for too long. True when there are some to lease anew. */
  suspect(isSilent: (session: WorkerSession) => boolean): boolean {
    // Another attempt would end the round: wait for the full time-out.
    if (this.work.once) return false;
    const silent = new Set([...this.held.keys()].filter(isSilent).map(({ id }) => id));
    const returned = this.book.suspect((worker) => silent.has(worker));
    if (returned.length > 0) this.work.faults.add('workerSilent', returned.length);
    return this.open && returned.length > 0;
  }

  /** Puts back the shards of hung workers. True when there are some to lease anew. */
  sweep(now: number, workers: number): boolean {
    const { leaseTimeoutSeconds } = this.work;
    const expired = this.book.expire(now);
    for (const lease of expired) {
      this.work.faults.add('leaseExpired');
      this.countFailure(lease, `no result came within ${leaseTimeoutSeconds} s`);
    }
    // Workers are connected, yet none works within its time: after twice the time-out this is taken for a hang of all.
    const stalled = workers > 0 && this.held.size >= workers && this.book.active === 0;
    this.stalledSince = stalled ? (this.stalledSince ?? now) : undefined;
    if (this.stalledSince !== undefined && now - this.stalledSince >= 2 * leaseTimeoutSeconds * 1000) {
      this.fail(
        new ProtocolError(
          `round ${this.work.round}: none of ${workers} workers has answered within three times the lease time-out of ${leaseTimeoutSeconds} s; set federation.shardSize lower`,
        ),
      );
    }
    return this.open && expired.length > 0;
  }

  /** Ends the round with an error. */
  fail(error: Error): void {
    this.open = false;
    this.settle.reject(error);
  }

  /** What a worker still owes; others may have delivered it meanwhile. */
  private leases(session: WorkerSession): readonly Lease[] {
    return (this.held.get(session) ?? []).filter(({ shard }) => !this.book.isDone(shard));
  }

  /** The lease that a result is of. */
  private leaseOf(session: WorkerSession, { shard, attempt }: ShardHeader__Output): Lease | undefined {
    return this.leases(session).find((lease) => lease.shard === shard && lease.attempt === attempt);
  }

  private drop(session: WorkerSession, lease: Lease): void {
    const kept = this.leases(session).filter((other) => other !== lease);
    if (kept.length > 0) this.held.set(session, kept);
    else this.held.delete(session);
  }

  private end(): void {
    this.open = false;
    this.settle.resolve();
  }

  private countFailure({ shard }: Lease, reason: string): void {
    const { round, maxAttempts } = this.work;
    if (this.book.failed(shard) < maxAttempts || !this.open) return;
    this.fail(
      new ProtocolError(
        `round ${round}: shard ${shard} was leased ${maxAttempts} times without a result (last: ${reason}); see the workers' logs`,
      ),
    );
  }

  private async send(session: WorkerSession, lease: Lease): Promise<void> {
    const { runId, round, parameters, shards, settingsJson } = this.work;
    if (session.parametersRound !== round) {
      for (const chunk of parameters) {
        // The round may end, by other workers' results, while a slow connection still takes the parameters.
        if (!this.open) break;
        await session.send({ parametersChunk: { round, chunk } });
      }
    }
    if (!this.open) return this.work.onUnserved(session);
    session.parametersRound = round;
    const { shard, attempt } = lease;
    await session.send({
      lease: { runId, round, attempt, shard, clientIdDeltas: encodeClientIds(shards[shard]), settingsJson },
    });
    if (this.underWay || !this.open) return;
    this.underWay = true;
    this.work.onUnderWay?.();
  }
}
