import { Server } from '@grpc/grpc-js';
import type { ShardResult } from '../client/shard.ts';
import type { WorkerTask } from '../client/task.ts';
import { ConfigError, ModelError, ProtocolError } from '../errors.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import { splitPayload } from '../proto/chunks.ts';
import { MAX_CLIENTS_PER_LEASE } from '../proto/client-ids.ts';
import { bytesOfFloats } from '../proto/floats.ts';
import { Aggregation, MAX_MESSAGE_BYTES, wireOptions } from '../proto/load.ts';
import type { TlsIdentity } from '../proto/tls.ts';
import { Admission } from './admission.ts';
import { type Listener, listen } from './listen.ts';
import { type Rejection, RoundDispatch } from './round-dispatch.ts';
import { type Greeting, type SessionEvents, WorkerSession, type WorkerStream } from './worker-session.ts';

export interface AggregationOptions {
  /** Address to listen on, `host:port`; port 0 takes any free port. */
  readonly listen: string;
  /** Names the run; results of other runs are rejected. */
  readonly runId: string;
  readonly task: WorkerTask;
  readonly model: TrainingArtifact;
  /** Mutual TLS; without it the wire is plaintext. */
  readonly tls?: TlsIdentity;
  /** What a worker must bear to be told anything; without it every worker is welcome. */
  readonly token?: string;
  /** Workers at a time, and as many connections again that have not said Hello yet. Default 1024. */
  readonly maxWorkers?: number;
  /** Seconds from connecting to Hello, after which a connection is cut. Default 20. */
  readonly helloSeconds?: number;
  /** Seconds after which a shard is given to another worker. Default 600. */
  readonly leaseTimeoutSeconds?: number;
  /** How often one shard may be leased in a round before the round is given up. Default 10. */
  readonly maxAttempts?: number;
  /** Seconds to wait for a healthy worker after a worker has failed and none is left. Default 5. */
  readonly failureGraceSeconds?: number;
  /** Seconds that `close` waits for the workers to hang up. Default 5. */
  readonly closeSeconds?: number;
  /** Takes one line when a worker joins, is lost or fails, or a result is rejected. */
  readonly log?: (line: string) => void;
}

/**
 * The server's side of the wire: workers come and go, and each round's shards are given to whoever asks. It holds the
 * training step, one round's parameters and the results in flight: memory does not grow with cohort or rounds.
 */
export class AggregationServer {
  /** Where workers connect: `host:port` with the real port. */
  readonly address: string;
  readonly admission: Admission;
  /** Results that were not summed, by reason, since the start. */
  readonly rejections: Record<Rejection, number> = {
    wrongRun: 0,
    wrongRound: 0,
    duplicate: 0,
    notLeased: 0,
    malformed: 0,
  };
  private readonly options: AggregationOptions;
  private readonly layout: ParameterLayout;
  private readonly listener: Listener;
  /** Every open stream. */
  private readonly sessions = new Set<WorkerSession>();
  /** The streams whose worker has said Hello, and has not failed. */
  private readonly joined = new Set<WorkerSession>();
  /** Sessions that asked for a lease and have none, the longest waiting first. */
  private readonly waiting = new Set<WorkerSession>();
  private dispatch: RoundDispatch | undefined;
  private failureTimer: NodeJS.Timeout | undefined;
  private fatal: Error | undefined;
  private closed: Promise<void> | undefined;

  /**
   * Listens for workers.
   * @throws ConfigError when the address cannot be had; ModelError when the model's layers do not fit one message
   */
  static async start(options: AggregationOptions): Promise<AggregationServer> {
    const { tls, token, maxWorkers = 1024, helloSeconds = 20, log = () => undefined } = options;
    const layout = new ParameterLayout(options.task.layers);
    const greeting = greetingOf(options, layout);
    const admission = new Admission(token, maxWorkers, log);
    const server = new Server({ ...wireOptions, ...serverOptions });
    let accept: (call: WorkerStream) => void = (call) => call.end();
    server.addService(Aggregation.service, { Work: (call: WorkerStream) => accept(call) });
    const listener = await listen(server, {
      address: options.listen,
      tls,
      maxConnections: 2 * maxWorkers,
      helloSeconds,
      onTurnedAway: (line) => admission.report(line),
    });
    const service = new AggregationServer(options, layout, listener, admission);
    let sessions = 0;
    accept = (call) => {
      const peer = call.getPeer();
      const refusal = admission.objection(call.metadata, peer, service.sessions.size);
      if (refusal !== undefined) {
        call.emit('error', refusal);
        return;
      }
      sessions += 1;
      service.admit(new WorkerSession(sessions, call, greeting, service.events(peer)));
    };
    return service;
  }

  private constructor(options: AggregationOptions, layout: ParameterLayout, listener: Listener, admission: Admission) {
    this.options = options;
    this.layout = layout;
    this.listener = listener;
    this.admission = admission;
    this.address = listener.address;
  }

  /** Workers that are connected and have said Hello. */
  workerCount(): number {
    return this.joined.size;
  }

  /**
   * Has every shard trained exactly once, whatever workers do meanwhile. Without workers it waits for some.
   * @param round central step; rounds have distinct numbers
   * @param parameters θ(t−1); copied, so the caller may change it afterwards
   * @param shards client ids of each shard
   * @param onResult called once per shard, in order of arrival; the result and its sum are the caller's
   * @throws ProtocolError when all workers failed, a shard is lost again and again, or the server is closed;
   *   ConfigError when a shard has too many clients; what `onResult` or `fail` threw in
   */
  async runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: ShardResult) => void,
  ): Promise<void> {
    this.check(parameters, shards);
    const { runId, leaseTimeoutSeconds = 600, maxAttempts = 10 } = this.options;
    const dispatch = new RoundDispatch({
      runId,
      round,
      parameters: splitPayload(bytesOfFloats(parameters.slice())),
      shards,
      layers: this.layout.layers.length,
      leaseTimeoutSeconds,
      maxAttempts,
      onResult,
      onUnserved: (session) => this.offer(session),
    });
    this.dispatch = dispatch;
    const sweeper = setInterval(
      () => {
        if (dispatch.sweep(performance.now(), this.workerCount())) this.serve();
      },
      Math.min(leaseTimeoutSeconds * 250, 5000),
    );
    try {
      this.serve();
      await dispatch.finished;
    } finally {
      clearInterval(sweeper);
      this.dispatch = undefined;
    }
  }

  /** Ends the run with an error: the round under way rejects with it, and so does any later one. */
  fail(error: Error): void {
    this.fatal ??= error;
    this.dispatch?.fail(this.fatal);
  }

  /** Tells the workers that the run is over, waits (bounded) until they have hung up, and stops listening. */
  close(reason = 'the run is over'): Promise<void> {
    this.closed ??= this.shutDown(reason);
    return this.closed;
  }

  private async shutDown(reason: string): Promise<void> {
    clearTimeout(this.failureTimer);
    this.fail(new ProtocolError('the aggregation server was closed'));
    const farewells = [...this.sessions].map(async (session) => {
      await session.leave(reason);
      await session.closed;
    });
    const { closeSeconds = 5 } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise((resolve) => {
      timer = setTimeout(resolve, closeSeconds * 1000);
    });
    await Promise.race([Promise.all(farewells), bound]);
    clearTimeout(timer);
    this.listener.destroy();
  }

  private check(parameters: Float32Array, shards: readonly (readonly number[])[]): void {
    if (this.fatal !== undefined) throw this.fatal;
    if (this.dispatch !== undefined)
      throw new ProtocolError('a round is still under way; rounds run one after another');
    if (parameters.length !== this.layout.size) {
      throw new ModelError(`${parameters.length} parameters were given for a layout of ${this.layout.size}`);
    }
    const largest = shards.reduce((size, shard) => Math.max(size, shard.length), 0);
    if (largest > MAX_CLIENTS_PER_LEASE) {
      throw new ConfigError(
        `federation.shardSize: a shard of ${largest} clients does not fit one lease; set it to ${MAX_CLIENTS_PER_LEASE} or less`,
      );
    }
  }

  private admit(session: WorkerSession): void {
    this.sessions.add(session);
    if (this.closed !== undefined) void session.leave('the run is over');
  }

  private events(peer: string): SessionEvents {
    return {
      joined: (session) => {
        this.listener.admitted(peer);
        this.joined.add(session);
        this.log(`worker '${session.name}' joined; ${this.workerCount()} connected`);
      },
      ready: (session) => this.offer(session),
      wants: (session, header) => {
        const objection =
          this.dispatch === undefined ? this.late(header.runId) : this.dispatch.objection(session, header);
        return objection === undefined || this.reject(session, objection);
      },
      delivered: (session, header, sum) => {
        const objection =
          this.dispatch === undefined ? this.late(header.runId) : this.dispatch.accept(session, header, sum);
        if (objection !== undefined) this.reject(session, objection);
      },
      failed: (session, message) => this.workerFailed(session, message),
      broke: (session, error) => {
        if (this.dispatch?.holds(session)) this.rejections.malformed += 1;
        this.log(`worker '${session.name}' was refused: ${error.message}`);
      },
      gone: (session) => this.lost(session),
    };
  }

  private late(runId: string): Rejection {
    return runId === this.options.runId ? 'wrongRound' : 'wrongRun';
  }

  private reject(session: WorkerSession, why: Rejection): false {
    this.rejections[why] += 1;
    this.log(`a result of worker '${session.name}' was rejected (${why})`);
    return false;
  }

  /** The session waits for a lease from now on, perhaps not for long. */
  private offer(session: WorkerSession): void {
    if (!this.sessions.has(session)) return;
    this.waiting.add(session);
    this.serve();
  }

  private serve(): void {
    for (const session of this.waiting) {
      if (!this.dispatch?.assign(session)) return;
      this.waiting.delete(session);
    }
  }

  private lost(session: WorkerSession): void {
    if (this.joined.delete(session)) this.log(`worker '${session.name}' left`);
    this.sessions.delete(session);
    this.waiting.delete(session);
    if (this.dispatch?.release(session)) this.serve();
  }

  /** One worker's failure is its own; when no other worker comes forward within the grace time, it is the run's. */
  private workerFailed(session: WorkerSession, message: string): void {
    this.joined.delete(session);
    this.log(`worker '${session.name}' failed: ${message}`);
    if (this.failureTimer !== undefined || this.closed !== undefined) return;
    const { failureGraceSeconds = 5 } = this.options;
    this.failureTimer = setTimeout(() => {
      this.failureTimer = undefined;
      if (this.joined.size > 0) return;
      this.fail(new ProtocolError(`every worker failed; the first ('${session.name}') reported: ${message}`));
    }, failureGraceSeconds * 1000);
  }

  private log(line: string): void {
    this.options.log?.(line);
  }
}

/** Half-open connections are noticed (a worker may block its thread in a long training run, but not for ever), idle ones closed. */
const serverOptions = {
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 300_000,
  'grpc.max_connection_idle_ms': 300_000,
  // A worker needs one.
  'grpc.max_concurrent_streams': 4,
};

function greetingOf({ runId, task, model }: AggregationOptions, layout: ParameterLayout): Greeting {
  const taskJson = JSON.stringify(task);
  if (Buffer.byteLength(taskJson) + runId.length > MAX_MESSAGE_BYTES - 1024) {
    throw new ModelError(
      `the description of ${layout.layers.length} layers does not fit one message; give the layers shorter names or merge some`,
    );
  }
  return {
    welcome: { runId, taskJson, layoutFingerprint: layout.fingerprint() },
    model: splitPayload(model.onnx),
    sumBytes: layout.size * Float64Array.BYTES_PER_ELEMENT,
  };
}
