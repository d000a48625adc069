import type { ShardResult } from '../client/shard.ts';
import { ProtocolError } from '../errors.ts';
import type { PayloadChunk } from '../proto/chunks.ts';
import { encodeClientIds } from '../proto/client-ids.ts';
import type { ShardHeader__Output } from '../proto/generated/dpfl/v1/ShardHeader.ts';
import { type Lease, LeaseBook } from './leases.ts';
import { shardResultOf } from './shard-result.ts';
import type { WorkerSession } from './worker-session.ts';

/** Why a result was not summed. */
export type Rejection = 'wrongRun' | 'wrongRound' | 'duplicate' | 'notLeased' | 'malformed';

/** One round's work as the service hands it over. */
export interface RoundWork {
  readonly runId: string;
  /** Central step. */
  readonly round: number;
  /** θ(t−1), cut into chunks; views of a buffer that does not change during the round. */
  readonly parameters: readonly PayloadChunk[];
  /** Client ids of each shard. */
  readonly shards: readonly (readonly number[])[];
  /** Layers of the parameter vector. */
  readonly layers: number;
  readonly leaseTimeoutSeconds: number;
  readonly maxAttempts: number;
  readonly onResult: (shardIndex: number, result: ShardResult) => void;
  /** The round ended before this worker's lease was sent: it still waits for one. */
  readonly onUnserved: (session: WorkerSession) => void;
}

/** One round in progress: gives shards to workers, and accepts each shard's first result. */
export class RoundDispatch {
  /** Settles when every shard is done, or the round cannot be completed. */
  readonly finished: Promise<void>;
  private readonly work: RoundWork;
  private readonly book: LeaseBook;
  /** The lease each worker (by session id) works on; a timed-out one stays, as its result may still be the first. */
  private readonly held = new Map<number, Lease>();
  private settle: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  private open = true;
  private stalledSince: number | undefined;

  constructor(work: RoundWork) {
    this.work = work;
    this.book = new LeaseBook(work.shards.length, work.leaseTimeoutSeconds * 1000);
    this.settle = { resolve: () => undefined, reject: () => undefined };
    this.finished = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    if (this.book.complete) this.end();
  }

  /** Leases a shard to a waiting worker, and sends it the parameters first if it lacks them; false when no shard is queued. */
  assign(session: WorkerSession): boolean {
    if (!this.open) return false;
    const lease = this.book.lease(session.id, performance.now());
    if (lease === undefined) return false;
    this.held.set(session.id, lease);
    void this.send(session, lease);
    return true;
  }

  /** Whether the worker has a lease in this round. */
  holds(session: WorkerSession): boolean {
    return this.held.has(session.id);
  }

  /** Why a result with this header would be rejected; undefined when it is wanted. */
  objection(session: WorkerSession, header: ShardHeader__Output): Rejection | undefined {
    const { runId, round } = this.work;
    if (header.runId !== runId) return 'wrongRun';
    if (header.round !== round) return 'wrongRound';
    if (this.book.isDone(header.shard)) return 'duplicate';
    const lease = this.held.get(session.id);
    return lease?.shard === header.shard && lease.attempt === header.attempt ? undefined : 'notLeased';
  }

  /**
   * Takes the result of a session whose header met no objection. It is passed on if it is the shard's first.
   * @throws ProtocolError when it is malformed
   */
  accept(session: WorkerSession, header: ShardHeader__Output, sum: Uint8Array): Rejection | undefined {
    const objection = this.open ? this.objection(session, header) : 'wrongRound';
    const lease = this.held.get(session.id);
    if (objection !== undefined || lease === undefined) return objection ?? 'notLeased';
    const result = shardResultOf(header, this.work.shards[lease.shard].length, this.work.layers, sum);
    this.held.delete(session.id);
    this.book.finish(lease);
    this.stalledSince = undefined;
    try {
      this.work.onResult(lease.shard, result);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
    if (this.book.complete) this.end();
    return undefined;
  }

  /** The worker is lost: its shard goes back to the queue. True when there is one to lease anew. */
  release(session: WorkerSession): boolean {
    this.held.delete(session.id);
    return this.returned(this.book.release(session.id), `worker '${session.name}' was lost`);
  }

  /** Puts back the shards of hung workers. True when there are some to lease anew. */
  sweep(now: number, workers: number): boolean {
    const { leaseTimeoutSeconds } = this.work;
    const returned = this.returned(this.book.expire(now), `no result came within ${leaseTimeoutSeconds} s`);
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
    return returned;
  }

  /** Ends the round with an error. */
  fail(error: Error): void {
    this.open = false;
    this.settle.reject(error);
  }

  private end(): void {
    this.open = false;
    this.settle.resolve();
  }

  private returned(leases: readonly Lease[], reason: string): boolean {
    const { round, maxAttempts } = this.work;
    const hopeless = leases.find(({ attempt }) => attempt >= maxAttempts);
    if (hopeless !== undefined && this.open) {
      this.fail(
        new ProtocolError(
          `round ${round}: shard ${hopeless.shard} was leased ${maxAttempts} times without a result (last: ${reason}); see the workers' logs`,
        ),
      );
    }
    return this.open && leases.length > 0;
  }

  private async send(session: WorkerSession, lease: Lease): Promise<void> {
    const { runId, round, parameters, shards } = this.work;
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
      lease: { runId, round, attempt, shard, clientIdDeltas: encodeClientIds(shards[shard]) },
    });
  }
}
