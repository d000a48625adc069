import { type ClientDuplexStream, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { ProtocolError } from '../errors.ts';
import type { AggregationClient } from '../proto/generated/dpfl/v1/Aggregation.ts';
import type { ServerMessage__Output } from '../proto/generated/dpfl/v1/ServerMessage.ts';
import type { WorkerMessage } from '../proto/generated/dpfl/v1/WorkerMessage.ts';
import { Aggregation, wireOptions } from '../proto/load.ts';
import { StreamWriter } from '../proto/stream-writer.ts';
import type { TlsIdentity } from '../proto/tls.ts';
import { tokenMetadata } from '../proto/token.ts';

/** The connection is lost, or was never had: trying again may help. */
export class ConnectionLost extends ProtocolError {}

/** The server said that the run is over. */
export class RunOver extends ProtocolError {}

/** What a worker shows its server. */
export interface WorkerCredentials {
  /** Mutual TLS; without it the wire is plaintext. */
  readonly tls?: TlsIdentity | undefined;
  /** The run's token. */
  readonly token?: string | undefined;
}

/** Statuses of a network or server that went away; after any other the same worker would only meet it again. */
const LOST: readonly status[] = [status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED];

/** The worker's end of its stream. */
export class WorkerConnection {
  /** Aborted with the reason when the stream is over: `RunOver`, `ConnectionLost` or the server's refusal. */
  readonly over: AbortSignal;
  private readonly client: AggregationClient;
  private readonly call: ClientDuplexStream<WorkerMessage, ServerMessage__Output>;
  private readonly writer: StreamWriter<WorkerMessage>;
  private readonly controller = new AbortController();
  private readonly inbox: ServerMessage__Output[] = [];
  private wake: () => void = () => undefined;

  /** Opens a stream to `server` (`host:port`); whether that succeeds shows when messages are sent and received. */
  constructor(server: string, { tls, token }: WorkerCredentials = {}) {
    this.over = this.controller.signal;
    const channel = tls ? credentials.createSsl(tls.ca, tls.key, tls.cert) : credentials.createInsecure();
    this.client = new Aggregation(server, channel, { ...wireOptions, ...channelOptions });
    this.call = this.client.Work(tokenMetadata(token));
    this.writer = new StreamWriter(this.call);
    this.call.on('data', (message: ServerMessage__Output) => this.receive(message));
    this.call.on('error', (error: ServiceError) => this.end(lossOf(server, error, tls !== undefined)));
    this.call.on('status', () => this.end(new ConnectionLost(`server ${server} ended the stream`)));
  }

  /** Sends one message under the transport's flow control. @throws the reason of `over` when the stream is over */
  send(message: WorkerMessage): Promise<void> {
    return this.writer.send(message);
  }

  /** The next message, in order. @throws the reason of `over` when the stream is over */
  async next(): Promise<ServerMessage__Output> {
    for (;;) {
      this.over.throwIfAborted();
      const message = this.inbox.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Hangs up after all messages sent before, and waits (bounded) until the server has them. */
  async hangUp(seconds = 5): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.call.once('status', () => resolve());
      setTimeout(resolve, seconds * 1000).unref();
    });
    this.call.end();
    if (!this.over.aborted) await ended;
    this.close();
  }

  /** Drops the stream at once. */
  close(): void {
    this.end(new ConnectionLost('the worker hung up'));
    this.call.cancel();
    this.client.close();
  }

  private receive(message: ServerMessage__Output): void {
    if (message.finished) this.end(new RunOver(message.finished.reason));
    this.inbox.push(message);
    this.wake();
  }

  private end(reason: Error): void {
    if (this.over.aborted) return;
    this.controller.abort(reason);
    this.writer.abandon(reason);
    this.wake();
  }
}

/** One channel per stream, no proxies on the way to an aggregation server, and half-open connections noticed. */
const channelOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 300_000,
  'grpc-node.flow_control_window': 4 * 1024 * 1024,
};

const REFUSED_CERTIFICATE = "perhaps it refuses this worker's certificate: both must come from one dpfl certs";

function lossOf(server: string, error: ServiceError, secure: boolean): ProtocolError {
  // gRPC reports a failed handshake like a lost network; but it fails again however often it is tried.
  if (error.code === status.UNAVAILABLE && /certificate|altnames|alert|SSL|EPROTO/i.test(error.details)) {
    return new ProtocolError(
      `server ${server}: TLS failed (${error.details}); both sides need certificates of the same authority, and the server's must name its address: see dpfl certs`,
      { cause: error },
    );
  }
  if (LOST.includes(error.code)) {
    // A server that refuses a certificate just hangs up (TLS 1.3).
    const hint = secure && error.details.includes('Failed to connect') ? ` (${REFUSED_CERTIFICATE})` : '';
    return new ConnectionLost(`server ${server} is not reachable: ${error.details}${hint}`, { cause: error });
  }
  return new ProtocolError(`server ${server} refused this worker: ${error.details}`, { cause: error });
}
