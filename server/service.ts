import { Server } from '@grpc/grpc-js';
import { bytesOfParameters } from '../client/parameter-transport.ts';
import type { RoundSettings } from '../client/round-settings.ts';
import type { WorkerTask } from '../client/task.ts';
import { ConfigError, ModelError, ProtocolError } from '../errors.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import { splitPayload } from '../proto/chunks.ts';
import { MAX_CLIENTS_PER_LEASE } from '../proto/client-ids.ts';
import { Aggregation, MAX_MESSAGE_BYTES, wireOptions } from '../proto/load.ts';
import type { TlsIdentity } from '../proto/tls.ts';
import { Admission } from './admission.ts';
import { FaultCounts, type FaultRecord, RejectedMessage, type Rejection } from './faults.ts';
import { Health } from './health.ts';
import { type HealthPort, openHealthPort } from './health-port.ts';
import { type Listener, listen } from './listen.ts';
import { RoundDispatch } from './round-dispatch.ts';
import type { DeliveredShard } from './shard-result.ts';
import type { SumStorage } from './sum-receiver.ts';
import { WireTally } from './wire-tally.ts';
import { WorkerConduct } from './worker-conduct.ts';
import { type Greeting, type SessionEvents, WorkerSession, type WorkerStream } from './worker-session.ts';
import { WorkerWait } from './worker-wait.ts';

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
  /** A second address, `host:port`, with nothing but the health service, in plaintext; by default it is on `listen` alone. */
  readonly healthListen?: string;
  /** Offers server reflection to whoever bears the token. Default false. */
  readonly reflection?: boolean;
  /** Where sums on their way in are kept. */
  readonly sums?: SumStorage;
  /** Seconds after which a shard is given to another worker. Default 600. */
  readonly leaseTimeoutSeconds?: number;
  /**
   * Seconds without a word from a worker after which its shard is given to another as well. Should exceed the training of one
   * client, in which a worker cannot speak. Default 60.
   */
  readonly silenceSeconds?: number;
  /** Seconds that a round waits without any worker before the run ends with an error. Default: for ever. */
  readonly waitForWorkersSeconds?: number;
  /** Decides which workers are set aside. */
  readonly conduct?: WorkerConduct;
  /** How often one shard may be leased in a round before the round is given up. Default 10. */
  readonly maxAttempts?: number;
  /** Seconds to wait for a healthy worker after a worker has failed and none is left. Default 5. */
  readonly failureGraceSeconds?: number;
  /** Seconds that `close` waits for the workers to hang up. Default 5. */
  readonly closeSeconds?: number;
  /** Takes one line when a worker joins, is lost or fails, or a result is rejected. */
  readonly log?: (line: string) => void;
  /** Takes one line on what whoever runs this should know: no worker is left, one is set aside, a result was rejected. Default: `log`. */
  readonly notice?: (line: string) => void;
}

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
  private readonly listener: Listener;
  private readonly health: Health;
  private readonly healthPort: HealthPort | undefined;
  private readonly greeting: Greeting;
  /** Streams served since the start; numbers the sessions. */
  private streams = 0;
  /** Every open stream. */
  private readonly sessions = new Set<WorkerSession>();
  /** The streams whose worker has said Hello, and has not failed. */
  private readonly joined = new Set<WorkerSession>();
  /** Sessions that asked for a lease and have none, the longest waiting first. */
  private readonly waiting = new Set<WorkerSession>();
  /** What each failing worker was last blamed for; its stream ends soon after. */
  private readonly blamed = new WeakMap<WorkerSession, string>();
  private readonly conduct: WorkerConduct;
  private dispatch: RoundDispatch | undefined;
  private failureTimer: NodeJS.Timeout | undefined;
  private fatal: Error | undefined;
  private closed: Promise<void> | undefined;

  /**
   * Listens for workers.
   * @throws ConfigError when the address cannot be had; ModelError when the model's layers do not fit one message
   */
  static async start(options: AggregationOptions): Promise<AggregationServer> {
    const { tls, token, maxWorkers = 1024, helloSeconds = 20, log = () => undefined, healthListen } = options;
    const layout = new ParameterLayout(options.task.layers);
    const greeting = greetingOf(options, layout);
    const admission = new Admission(token, maxWorkers, log);
    const server = new Server({ ...wireOptions, ...serverOptions });
    let service: AggregationServer | undefined;
    server.addService(Aggregation.service, { Work: (call: WorkerStream) => service?.serveStream(call) });
    const health = new Health();
    let listener: Listener | undefined;
    health.addTo(server, (peer) => listener?.probed(peer));
    if (options.reflection) {
      const { addReflection } = await import('./reflection.ts');
      addReflection(server, (metadata, peer) => admission.objection(metadata, peer, 0));
    }
    listener = await listen(server, {
      address: options.listen,
      tls,
      maxConnections: 2 * maxWorkers,
      helloSeconds,
      onTurnedAway: (line) => admission.report(line),
    });
    const healthPort = await openPort(healthListen, health, listener);
    service = new AggregationServer(options, layout, greeting, { listener, health, healthPort }, admission);
    return service;
  }

  private constructor(
    options: AggregationOptions,
    layout: ParameterLayout,
    greeting: Greeting,
    { listener, health, healthPort }: { listener: Listener; health: Health; healthPort: HealthPort | undefined },
    admission: Admission,
  ) {
    this.options = options;
    this.layout = layout;
    this.greeting = greeting;
    this.tally = greeting.tally;
    this.conduct = options.conduct ?? new WorkerConduct();
    this.listener = listener;
    this.health = health;
    this.healthPort = healthPort;
    this.healthAddress = healthPort?.address;
    this.admission = admission;
    this.address = listener.address;
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
   * @param onResult called once per shard, in order of arrival; a spooled sum is gone when it returns
   * @throws ProtocolError when all workers failed, a shard is lost again and again, or the server is closed;
   *   ConfigError when a shard has too many clients; what `onResult` or `fail` threw in
   */
  async runRound(
    round: number,
    parameters: Float32Array,
    shards: readonly (readonly number[])[],
    onResult: (shardIndex: number, result: DeliveredShard) => void,
    settings?: RoundSettings,
  ): Promise<void> {
    this.check(parameters, shards);
    const { waitForWorkersSeconds: waitSeconds = Number.POSITIVE_INFINITY } = this.options;
    const { runId, leaseTimeoutSeconds = 600, silenceSeconds = 60, maxAttempts = 10 } = this.options;
    const dispatch = new RoundDispatch({
      runId,
      round,
      parameters: splitPayload(bytesOfParameters(parameters, this.options.task.transport ?? 'float32')),
      shards,
      settingsJson: settings === undefined ? '' : JSON.stringify(settings),
      layers: this.layout.layers.length,
      leaseTimeoutSeconds,
      maxAttempts,
      // With a seed a shard trained again sends the same noise; else a second noisy message tells more than one.
      once: settings?.noise?.local === true && settings.noise.source === 'cryptographic',
      silent: settings?.noise?.local === true,
      onResult,
      faults: this.faults,
      tally: this.tally,
      onUnserved: (session) => this.offer(session),
    });
    this.dispatch = dispatch;
    const period = Math.max(10, Math.min(250 * leaseTimeoutSeconds, 250 * silenceSeconds, 250 * waitSeconds, 5000));
    const wait = new WorkerWait(waitSeconds, (line) => this.notice(line));
    let last = performance.now();
    const sweeper = setInterval(() => {
      const now = performance.now();
      // After a pause of this process itself, what workers said meanwhile is still to be read.
      const listened = now - last < 2 * period + 100;
      last = now;
      this.sweep(dispatch, now, listened);
      const hopeless = wait.check(now, this.workerCount());
      if (hopeless !== undefined) this.fail(hopeless);
    }, period);
    try {
      this.serve();
      await dispatch.finished;
    } finally {
      clearInterval(sweeper);
      this.dispatch = undefined;
    }
  }

  /** Gives up the round under way, which rejects with `reason`; later rounds may follow. */
  abandonRound(reason: Error): void {
    this.dispatch?.fail(reason);
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
    clearTimeout(this.failureTimer);
    this.health.set(false);
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
    this.healthPort?.close();
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

  private sweep(dispatch: RoundDispatch, now: number, listened: boolean): void {
    const expired = dispatch.sweep(now, this.workerCount());
    const silent =
      listened && dispatch.suspect(({ heard }) => now - heard > 1000 * (this.options.silenceSeconds ?? 60));
    if (expired || silent) this.serve();
  }

  private admit(session: WorkerSession): void {
    this.sessions.add(session);
    if (this.closed !== undefined) void session.leave('the run is over');
  }

  private events(peer: string): SessionEvents {
    return {
      objection: (name) => this.asideObjection(name),
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
        if (objection === undefined) this.conduct.delivered(session.name);
        else this.reject(session, objection);
      },
      failed: (session, message) => this.workerFailed(session, message),
      broke: (session, error) => {
        this.faults.add(error instanceof RejectedMessage ? error.reason : 'malformed');
        this.blame(session, error.message);
        this.notice(`worker '${session.name}' was refused: ${error.message}`);
      },
      unable: (error) => this.fail(error),
      gone: (session) => this.lost(session),
    };
  }

  private late(runId: string): Rejection {
    return runId === this.options.runId ? 'wrongRound' : 'wrongRun';
  }

  private reject(session: WorkerSession, why: Rejection): false {
    this.faults.add(why);
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
    if (this.dispatch?.holds(session)) this.blame(session, `worker '${session.name}' was lost`);
    if (this.dispatch?.release(session, this.blamed.get(session) ?? '')) this.serve();
  }

  /** Holds a fault against the worker, once per stream; many in a row set it aside. */
  private blame(session: WorkerSession, reason: string): void {
    if (this.blamed.has(session) || this.closed !== undefined) return;
    this.blamed.set(session, reason);
    if (!this.conduct.fault(session.name, performance.now())) return;
    this.faults.add('workerSetAside');
    this.notice(`worker '${session.name}' failed again and again and is set aside; last: ${reason}`);
  }

  private asideObjection(name: string): RejectedMessage | undefined {
    const seconds = this.conduct.secondsAside(name, performance.now());
    if (seconds === 0) return undefined;
    const message = `worker '${name}' failed again and again and is set aside for another ${seconds} s; see the server's log for why`;
    return new RejectedMessage('setAside', message);
  }

  /** One worker's failure is its own; when no other worker comes forward within the grace time, it is the run's. */
  private workerFailed(session: WorkerSession, message: string): void {
    this.joined.delete(session);
    this.faults.add('workerFailed');
    this.blame(session, `worker '${session.name}' failed: ${message}`);
    this.log(`worker '${session.name}' failed: ${message}`);
    if (this.failureTimer !== undefined || this.closed !== undefined) return;
    const { failureGraceSeconds = 5 } = this.options;
    this.failureTimer = setTimeout(() => {
      this.failureTimer = undefined;
      if (this.joined.size > 0) return;
      this.fail(new ProtocolError(`every worker failed; the first ('${session.name}') reported: ${message}`));
    }, failureGraceSeconds * 1000);
  }

  private notice(line: string): void {
    (this.options.notice ?? this.options.log)?.(line);
  }

  private log(line: string): void {
    this.options.log?.(line);
  }
}

/** The port for probes, if there is to be one; the server's own is closed when that cannot be had. */
async function openPort(
  address: string | undefined,
  health: Health,
  listener: Listener,
): Promise<HealthPort | undefined> {
  if (address === undefined) return undefined;
  try {
    return await openHealthPort(address, health);
  } catch (error) {
    listener.destroy();
    throw error;
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

function greetingOf(
  { runId, task, model, silenceSeconds = 60, sums }: AggregationOptions,
  layout: ParameterLayout,
): Greeting {
  const taskJson = JSON.stringify(task);
  if (Buffer.byteLength(taskJson) + runId.length > MAX_MESSAGE_BYTES - 1024) {
    throw new ModelError(
      `the description of ${layout.layers.length} layers does not fit one message; give the layers shorter names or merge some`,
    );
  }
  return {
    welcome: { runId, taskJson, layoutFingerprint: layout.fingerprint(), heartbeatSeconds: silenceSeconds / 4 },
    model: splitPayload(model.onnx),
    sumBytes: layout.size * Float64Array.BYTES_PER_ELEMENT,
    sums,
    tally: new WireTally(),
  };
}
