import type { RoundSettings } from '../client/round-settings.ts';
import { ProtocolError } from '../errors.ts';
import { ParameterLayout } from '../params/layout.ts';
import { Admission } from './admission.ts';
import { FaultCounts, type FaultRecord, type Rejection } from './faults.ts';
import { type Greeting, greetingOf } from './greeting.ts';
import { RoundDispatch } from './round-dispatch.ts';
import { watchRound } from './round-watch.ts';
import { roundWork } from './round-work.ts';
import type { AggregationOptions } from './service-options.ts';
import { openPorts, type ServicePorts } from './service-ports.ts';
import type { DeliveredShard } from './shard-result.ts';
import type { WireTally } from './wire-tally.ts';
import { WorkerFaults } from './worker-faults.ts';
import { type SessionEvents, WorkerSession, type WorkerStream } from './worker-session.ts';

/**
 * The server's side of the wire: workers come and go, and each round's shards are given to whoever asks. It holds the
 * training step, one round's parameters and the results in flight: memory does not grow with cohort or rounds.
 */
export class AggregationServer {
  /** Where workers connect: `host:port` with the real port. */
  readonly address: string;
  readonly admission: Admission;
  /** Where probes connect that can show no certificate: `host:port` with the real port; undefined unless asked for. */
  readonly healthAddress: string | undefined;
  /** What went wrong with workers since the start. */
  readonly faults = new FaultCounts();
  /** What went over the wire since the start. */
  readonly tally: WireTally;
  private readonly options: AggregationOptions;
  private readonly layout: ParameterLayout;
  private readonly ports: ServicePorts;
  private readonly greeting: Greeting;
  /** Streams served since the start; numbers the sessions. */
  private streams = 0;
  /** Every open stream. */
  private readonly sessions = new Set<WorkerSession>();
  /** The streams whose worker has said Hello, and has not failed. */
  private readonly joined = new Set<WorkerSession>();
  /** Sessions that asked for a lease and have none, the longest waiting first. */
  private readonly waiting = new Set<WorkerSession>();
  private readonly workerFaults: WorkerFaults;
  private dispatch: RoundDispatch | undefined;
  private fatal: Error | undefined;
  /** Why rounds end that no worker is there for, where they do. */
  private abandons: (() => Error) | undefined;
  private closed: Promise<void> | undefined;

  /**
   * Listens for workers.
   * @throws ConfigError when the address cannot be had; ModelError when the model's layers do not fit one message
   */
  static async start(options: AggregationOptions): Promise<AggregationServer> {
    const { token, maxWorkers = 1024, log = () => undefined } = options;
    const layout = new ParameterLayout(options.task.layers);
    const greeting = greetingOf(options, layout);
    const admission = new Admission(token, maxWorkers, log);
    let service: AggregationServer | undefined;
    const ports = await openPorts(options, admission, (call) => service?.serveStream(call));
    service = new AggregationServer(options, layout, greeting, ports, admission);
    return service;
  }

  private constructor(
    options: AggregationOptions,
    layout: ParameterLayout,
    greeting: Greeting,
    ports: ServicePorts,
    admission: Admission,
  ) {
    this.options = options;
    this.layout = layout;
    this.greeting = greeting;
    this.tally = greeting.tally;
    this.workerFaults = new WorkerFaults({
      counts: this.faults,
      conduct: options.conduct,
      failureGraceSeconds: options.failureGraceSeconds,
      workers: () => this.workerCount(),
      closed: () => this.closed !== undefined,
      fail: (error) => this.fail(error),
      log: (line) => this.log(line),
      notice: (line) => this.notice(line),
    });
    this.ports = ports;
    this.healthAddress = ports.healthPort?.address;
    this.admission = admission;
    this.address = ports.listener.address;
  }

  /** Serves the stream of one worker, if it may have one. Streams that arrive at `address` come here by themselves. */
  serveStream(call: WorkerStream): void {
    const peer = call.getPeer();
    const refusal = this.admission.objection(call.metadata, peer, this.sessions.size);
    if (refusal !== undefined) {
      call.emit('error', refusal);
      return;
    }
    this.streams += 1;
    this.admit(new WorkerSession(this.streams, call, this.greeting, this.events(peer)));
  }

  /** Workers that are connected and have said Hello. */
  workerCount(): number {
    return this.joined.size;
  }

  /**
   * Has every shard trained exactly once, whatever workers do meanwhile. Without workers it waits for some.
   * @param round central step; rounds have distinct numbers
   * @param parameters θ(t−1); not changed by the caller before the promise settles
   * @param shards client ids of each shard
   * @param settings what this round changes in the task, for all its shards
   * @param onResult called once per shard, in order of arrival; its sum is gone when it returns
   * @throws ProtocolError when all workers failed, a shard is lost again and again, or the server is closed;
   *   ConfigError when a shard has too many clients; what `onResult` or `fail` threw in
   */
  async runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: DeliveredShard) => void,
    settings?: RoundSettings,
    onUnderWay?: () => void,
  ): Promise<void> {
    this.requireIdle();
    const dispatch = new RoundDispatch(
      roundWork({ round, parameters, shards, settings, onResult, onUnderWay }, this.options, this.layout, {
        faults: this.faults,
        tally: this.tally,
        onUnserved: (session) => this.offer(session),
      }),
    );
    this.dispatch = dispatch;
    const endWatch = watchRound(dispatch, this.options, {
      workers: () => this.workerCount(),
      serve: () => this.serve(),
      hopeless: (error) => this.fail(error),
      notice: (line) => this.notice(line),
    });
    try {
      this.serve();
      await dispatch.finished;
    } finally {
      endWatch();
      this.dispatch = undefined;
    }
  }

  /** Gives up the round under way, which rejects with `reason`; later rounds may follow. */
  abandonRound(reason: Error): void {
    this.dispatch?.fail(reason);
  }

  /** From now on no round waits for workers: one that none is left for rejects with `reason`, and so does any later one. */
  waitForNobody(reason: () => Error): void {
    this.abandons = reason;
    this.failWithoutWorkers();
  }

  /** Workers are sent the parameters again before their next lease, even in a round whose parameters they have. */
  forgetParameters(): void {
    for (const session of this.sessions) session.parametersRound = -1;
  }

  /** What went wrong with workers since the last call; undefined when nothing did. */
  takeFaults(): FaultRecord | undefined {
    return this.faults.take();
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
    this.workerFaults.stop();
    this.ports.health.set(false);
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
    this.ports.healthPort?.close();
    this.ports.listener.destroy();
  }

  private requireIdle(): void {
    if (this.fatal !== undefined) throw this.fatal;
    if (this.dispatch !== undefined)
      throw new ProtocolError('a round is still under way; rounds run one after another');
  }

  private admit(session: WorkerSession): void {
    this.sessions.add(session);
    if (this.closed !== undefined) void session.leave('the run is over');
  }

  private events(peer: string): SessionEvents {
    return {
      objection: (name) => this.workerFaults.objection(name),
      joined: (session) => {
        this.ports.listener.admitted(peer);
        this.joined.add(session);
        this.log(`worker '${session.name}' joined; ${this.workerCount()} connected`);
      },
      ready: (session) => this.offer(session),
      wants: (session, header) => {
        const objection =
          this.dispatch === undefined ? this.late(header.runId) : this.dispatch.objection(session, header);
        if (objection !== undefined) this.workerFaults.rejected(session, objection);
        return objection === undefined;
      },
      delivered: (session, header, sum) => {
        const objection =
          this.dispatch === undefined ? this.late(header.runId) : this.dispatch.accept(session, header, sum);
        if (objection === undefined) this.workerFaults.delivered(session);
        else this.workerFaults.rejected(session, objection);
        // It may have asked for more than it was given.
        this.serve();
      },
      failed: (session, message) => {
        this.joined.delete(session);
        this.workerFaults.failed(session, message);
      },
      broke: (session, error) => this.workerFaults.broke(session, error),
      unable: (error) => this.fail(error),
      gone: (session) => this.lost(session),
    };
  }

  private late(runId: string): Rejection {
    return runId === this.options.runId ? 'wrongRound' : 'wrongRun';
  }

  /** The session waits for a lease from now on, perhaps not for long. */
  private offer(session: WorkerSession): void {
    if (!this.sessions.has(session)) return;
    this.waiting.add(session);
    this.serve();
  }

  private serve(): void {
    for (const session of this.waiting) {
      if (this.dispatch?.mayTake(session) === false) continue;
      if (!this.dispatch?.assign(session)) return;
      this.waiting.delete(session);
    }
  }

  private lost(session: WorkerSession): void {
    if (this.joined.delete(session)) this.log(`worker '${session.name}' left`);
    this.sessions.delete(session);
    this.waiting.delete(session);
    if (this.dispatch?.holds(session)) this.workerFaults.lostLease(session);
    if (this.dispatch?.release(session, this.workerFaults.reason(session))) this.serve();
    this.failWithoutWorkers();
  }

  private failWithoutWorkers(): void {
    if (this.abandons === undefined || this.joined.size > 0 || this.fatal !== undefined) return;
    this.fail(this.abandons());
  }

  private notice(line: string): void {
    (this.options.notice ?? this.options.log)?.(line);
  }

  private log(line: string): void {
    this.options.log?.(line);
  }
}
