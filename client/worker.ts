import { setTimeout as sleep } from 'node:timers/promises';
import { ProtocolError } from '../errors.ts';
import { ParameterLayout } from '../params/layout.ts';
import { PayloadAssembler, splitPayload } from '../proto/chunks.ts';
import { decodeClientIds } from '../proto/client-ids.ts';
import type { Lease__Output } from '../proto/generated/dpfl/v1/Lease.ts';
import { PROTOCOL_VERSION } from '../proto/load.ts';
import { type LeaseTrainer, type OpenLeases, type OpenTask, type TrainedShard, trainingHere } from './lease-trainer.ts';
import { type ParameterTransport, parametersOfBytes, transportBytes } from './parameter-transport.ts';
import { parseRoundSettings } from './round-settings.ts';
import type { ShardSeconds } from './shard.ts';
import { parseTask, withDataPath } from './task.ts';
import { openTrainingThread } from './training-thread.ts';
import { ConnectionLost, RunOver, WorkerConnection, type WorkerCredentials } from './worker-connection.ts';

export interface WorkerOptions {
  /** Address of the aggregation server, `host:port`. */
  readonly server: string;
  /** Names the worker in the server's messages. */
  readonly name: string;
  /** Default: plaintext, and no token. */
  readonly credentials?: WorkerCredentials;
  /** Opens the task of a connection. Default: in a thread of its own, which trains clients. */
  readonly openLeases?: OpenLeases;
  /** In place of that: opens a task whose clients are trained in the thread that calls. */
  readonly openTask?: OpenTask;
  /** Where this machine keeps the data, if not at the server's `data.path`. */
  readonly dataPath?: string;
  /** Ends the worker: it hangs up, and the server gives its shard to another. */
  readonly signal?: AbortSignal;
  /** Seconds to keep trying while the server is not up yet. Default 60. */
  readonly connectSeconds?: number;
  /** Seconds to keep trying after a connection was lost. Default 30. */
  readonly reconnectSeconds?: number;
  /** Takes one line on connecting, and at the end. */
  readonly log?: (line: string) => void;
  readonly events?: WorkerEvents | undefined;
}

/** Hears what a worker does, for metrics. */
export interface WorkerEvents {
  /** The server has welcomed it, or is lost. */
  onConnection(connected: boolean): void;
  /** Parameters of a round arrived: so many bytes. */
  onParameters(bytes: number): void;
  /** A shard was trained and sent. */
  onShard(shard: { readonly clients: number; readonly seconds: ShardSeconds; readonly sentBytes: number }): void;
}

/** What a worker has done in its life. */
export interface WorkerSummary {
  readonly shards: number;
  readonly clients: number;
  /** Why it ended, in the server's words. */
  readonly reason: string;
}

/**
 * Works for an aggregation server until the run is over.
 * @throws ProtocolError when the server cannot be reached for too long, or refuses this worker (another protocol version);
 *   whatever opening the task or training throws, after reporting it to the server; the signal's reason when it is aborted
 */
export async function runWorker(options: WorkerOptions): Promise<WorkerSummary> {
  const { server, signal, connectSeconds = 60, reconnectSeconds = 30, log = () => undefined } = options;
  const done = { shards: 0, clients: 0 };
  let patience = connectSeconds;
  let deadline = performance.now() + patience * 1000;
  let pause = 100;
  for (;;) {
    signal?.throwIfAborted();
    const connection = new WorkerConnection(server, options.credentials);
    const abort = () => connection.close();
    signal?.addEventListener('abort', abort);
    try {
      await work(connection, options, done, () => {
        patience = reconnectSeconds;
        deadline = Number.POSITIVE_INFINITY;
        pause = 100;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof RunOver) {
        log(`${error.message}; trained ${done.clients} clients in ${done.shards} shards`);
        return { ...done, reason: error.message };
      }
      if (!(error instanceof ConnectionLost)) throw error;
      const now = performance.now();
      if (deadline === Number.POSITIVE_INFINITY) deadline = now + patience * 1000;
      if (now + pause > deadline) {
        throw new ProtocolError(
          `${error.message}; gave up after ${patience} s: check the address and that the server runs`,
          { cause: error },
        );
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      connection.close();
    }
    await sleep(pause, undefined, { signal });
    pause = Math.min(2 * pause, 2000);
  }
}

/** Serves one stream. Never returns: it ends by `RunOver`, `ConnectionLost`, a refusal, or the worker's own failure. */
async function work(
  connection: WorkerConnection,
  options: WorkerOptions,
  done: { shards: number; clients: number },
  onWelcome: () => void,
): Promise<never> {
  const { server, name, log = () => undefined } = options;
  await connection.send({ hello: { protocolVersion: PROTOCOL_VERSION, name } });
  const { welcome } = await connection.next();
  if (!welcome)
    throw new ProtocolError(`server ${server} did not begin with Welcome; use the same version on both sides`);
  onWelcome();
  options.events?.onConnection(true);
  connection.over.addEventListener('abort', () => options.events?.onConnection(false));
  log(`connected to ${server}, run ${welcome.runId}`);
  const stopBeating = sendHeartbeats(connection, welcome.heartbeatSeconds);
  let trainer: LeaseTrainer | undefined;
  try {
    const task = parseTask(welcome.taskJson);
    const layout = new ParameterLayout(task.layers);
    if (layout.fingerprint() !== welcome.layoutFingerprint) {
      throw new ProtocolError('the layers of the task do not have the fingerprint the server states');
    }
    const onnx = await receiveModel(connection);
    const { openTask, openLeases = openTask ? trainingHere(openTask) : openTrainingThread, dataPath } = options;
    trainer = await openLeases(dataPath === undefined ? task : withDataPath(task, dataPath), {
      onnx,
      layers: task.layers,
    });
    const parameters = new ParameterReceiver(layout.size, task.transport, trainer, options.events);
    await connection.send({ leaseRequest: {} });
    for (;;) {
      const lease = await parameters.untilLease(connection);
      const clients = await serve(connection, trainer, lease, options.events);
      done.shards += 1;
      done.clients += clients;
    }
  } catch (error) {
    if (!connection.over.aborted) await report(connection, error);
    throw error;
  } finally {
    stopBeating();
    // Before another connection is tried: there is memory for one task at a time.
    await trainer?.close();
  }
}

/** Has a lease trained, and sends what came of it. @returns how many clients it had */
async function serve(
  connection: WorkerConnection,
  trainer: LeaseTrainer,
  lease: Lease__Output,
  events: WorkerEvents | undefined,
): Promise<number> {
  const clientIds = decodeClientIds(lease.clientIdDeltas);
  const settings = lease.settingsJson === '' ? undefined : parseRoundSettings(lease.settingsJson);
  const shard = await trainer.train({ round: lease.round, clientIds, settings }, connection.over);
  // Asked for first: the server finds the next shard while the sum of this one is on its way.
  await connection.send({ leaseRequest: {} });
  await sendShard(connection, lease, shard);
  const { seconds, payload } = shard;
  events?.onShard({ clients: clientIds.length, seconds, sentBytes: payload.byteLength });
  return clientIds.length;
}

/** Shows the server that this worker lives. Returns how to stop. */
function sendHeartbeats(connection: WorkerConnection, seconds: number): () => void {
  if (!(seconds > 0)) return () => undefined;
  let sending = false;
  const timer = setInterval(async () => {
    // Behind a long payload heartbeats would only pile up; the payload is sign of life enough.
    if (sending) return;
    sending = true;
    await connection.send({ heartbeat: {} }).catch(() => undefined);
    sending = false;
  }, seconds * 1000);
  return () => clearInterval(timer);
}

async function receiveModel(connection: WorkerConnection): Promise<Uint8Array> {
  const assembler = new PayloadAssembler('training step', () => true);
  for (;;) {
    const { modelChunk } = await connection.next();
    if (!modelChunk) throw new ProtocolError('the server sent something else before the whole training step');
    const onnx = assembler.add(modelChunk);
    if (onnx !== undefined) return onnx;
  }
}

/** Hands a trainer the parameters of rounds, which the server sends once, before a round's first lease. */
class ParameterReceiver {
  private readonly assembler: PayloadAssembler;
  private readonly transport: ParameterTransport;
  private readonly trainer: LeaseTrainer;
  private readonly events: WorkerEvents | undefined;
  private round = -1;

  constructor(
    size: number,
    transport: ParameterTransport | undefined,
    trainer: LeaseTrainer,
    events: WorkerEvents | undefined,
  ) {
    this.transport = transport ?? 'float32';
    this.trainer = trainer;
    this.events = events;
    const bytes = size * transportBytes(this.transport);
    this.assembler = new PayloadAssembler('parameters', (totalBytes) => totalBytes === bytes);
  }

  /** Takes in parameters until a lease comes. @throws ProtocolError when it is of a round whose parameters have not come */
  async untilLease(connection: WorkerConnection): Promise<Lease__Output> {
    for (;;) {
      const { parametersChunk, lease } = await connection.next();
      if (lease?.round === this.round) return lease;
      if (lease) throw new ProtocolError(`a lease of round ${lease.round} came before its parameters`);
      if (!parametersChunk?.chunk) throw new ProtocolError('the server sent neither parameters nor a lease');
      const bytes = this.assembler.add(parametersChunk.chunk);
      if (bytes === undefined) continue;
      this.events?.onParameters(bytes.byteLength);
      this.trainer.take(parametersOfBytes(bytes, this.transport));
      this.round = parametersChunk.round;
    }
  }
}

async function sendShard(connection: WorkerConnection, lease: Lease__Output, shard: TrainedShard): Promise<void> {
  const { runId, round, attempt, shard: number } = lease;
  const { payload, deltaNormSums, clippedCounts, seconds, ...figures } = shard;
  await connection.send({
    shardHeader: {
      ...figures,
      runId,
      round,
      attempt,
      shard: number,
      deltaNormSums: [...deltaNormSums],
      clippedCounts: [...clippedCounts],
      seconds: seconds.total,
      dataSeconds: seconds.data,
      trainingSeconds: seconds.training,
      clippingSeconds: seconds.clipping,
    },
  });
  for (const chunk of splitPayload(payload)) await connection.send({ shardChunk: chunk });
}

/** Tells the server why this worker cannot go on; at most a few lines, and never in place of the error itself. */
async function report(connection: WorkerConnection, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  try {
    await connection.send({ failure: { message: message.slice(0, 4000) } });
    await connection.hangUp();
  } catch {
    // The connection went meanwhile: the server hears of that instead.
  }
}
