import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { release } from '../client/released-memory.ts';
import { DataError, ProtocolError } from '../errors.ts';
import type { PayloadChunk } from '../proto/chunks.ts';
import type { Hello__Output } from '../proto/generated/dpfl/v1/Hello.ts';
import type { ServerMessage } from '../proto/generated/dpfl/v1/ServerMessage.ts';
import type { ShardHeader__Output } from '../proto/generated/dpfl/v1/ShardHeader.ts';
import type { WorkerMessage__Output } from '../proto/generated/dpfl/v1/WorkerMessage.ts';
import { PROTOCOL_VERSION } from '../proto/load.ts';
import { StreamWriter } from '../proto/stream-writer.ts';
import { RejectedMessage } from './faults.ts';
import type { Greeting } from './greeting.ts';
import { type ReceivedSum, SpooledSum } from './spooled-sum.ts';
import { SumReceiver } from './sum-receiver.ts';

export type WorkerStream = ServerDuplexStream<WorkerMessage__Output, ServerMessage>;

/** Enough to tell workers apart in messages. */
const MAX_NAME_CHARACTERS = 200;

/** What a session tells the service. Calls come in the order of the worker's messages. */
export interface SessionEvents {
  /** Why a worker of this name is turned away; undefined when it is welcome. */
  objection(name: string): ProtocolError | undefined;
  /** The worker said Hello. */
  joined(session: WorkerSession): void;
  /** The worker asks for a lease; it has opened the task. */
  ready(session: WorkerSession): void;
  /** Whether this result is still wanted; if not, its chunks are dropped as they come. */
  wants(session: WorkerSession, header: ShardHeader__Output): boolean;
  /** A result has arrived whole. Its sum is gone when the call returns. */
  delivered(session: WorkerSession, header: ShardHeader__Output, sum: ReceivedSum): void;
  /** The worker cannot go on, for the reason it gave. */
  failed(session: WorkerSession, message: string): void;
  /** The worker broke the protocol and is refused. */
  broke(session: WorkerSession, error: ProtocolError): void;
  /** This machine cannot go on: its disk is full. */
  unable(error: DataError): void;
  /** The stream has ended, whatever the reason. Called once, and nothing after it. */
  gone(session: WorkerSession): void;
}

const MAX_FAILURE_CHARACTERS = 4000;

/** Without control characters, which could forge lines of the log or move the cursor of a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

/** The server's end of one worker's stream: handshake, chunks in and out, and the certainty of hearing of its end. */
export class WorkerSession {
  readonly id: number;
  /** Resolves when the transport is done with the stream. */
  readonly closed: Promise<void>;
  /** When the worker was last heard of (`performance.now()`). */
  heard = performance.now();
  /** The round whose parameters the worker holds. */
  parametersRound = -1;
  private readonly call: WorkerStream;
  private readonly greeting: Greeting;
  private readonly events: SessionEvents;
  private readonly writer: StreamWriter<ServerMessage>;
  private readonly receiver: SumReceiver;
  private workerName: string | undefined;
  private header: ShardHeader__Output | undefined;
  /** Bytes of the rejected result that may still come. */
  private unwanted = 0;
  private over = false;

  constructor(id: number, call: WorkerStream, greeting: Greeting, events: SessionEvents) {
    this.id = id;
    this.call = call;
    this.greeting = greeting;
    this.events = events;
    this.writer = new StreamWriter(call);
    this.receiver = new SumReceiver(greeting.sumBytes, greeting.sums);
    this.closed = new Promise((resolve) => {
      call.once('cancelled', resolve);
      call.once('close', resolve);
    });
    call.on('data', (message: WorkerMessage__Output) => this.receive(message));
    call.once('end', () => this.leave());
    call.on('error', () => this.finish());
    call.once('cancelled', () => this.finish());
    call.once('close', () => this.finish());
  }

  /** The name the worker gave itself, for messages. */
  get name(): string {
    return this.workerName ?? `worker ${this.id}`;
  }

  /** Sends one message under the transport's flow control; never throws, as a lost stream is told by `gone`. */
  async send(message: ServerMessage): Promise<void> {
    if (this.over) return;
    await this.writer.send(message).then(
      () => this.greeting.tally.sent(message),
      () => this.finish(),
    );
  }

  /** Ends the stream well, after all messages sent before. */
  async leave(farewell?: string): Promise<void> {
    if (farewell !== undefined) await this.send({ finished: { reason: farewell } });
    this.call.end();
    this.finish();
  }

  /** Ends the stream with an error that the worker sees. */
  private refuse(code: status, error: ProtocolError): void {
    if (this.over) return;
    this.events.broke(this, error);
    this.call.emit('error', { code, details: error.message });
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.receiver.abandon();
    this.writer.abandon(new ProtocolError(`${this.name} is gone`));
    this.events.gone(this);
  }

  /** A message that breaks the protocol costs its sender the stream, and nobody else anything. */
  private receive(message: WorkerMessage__Output): void {
    if (this.over) return;
    this.heard = performance.now();
    try {
      this.dispatch(message);
    } catch (error) {
      if (error instanceof DataError) this.events.unable(error);
      const known = error instanceof ProtocolError;
      this.refuse(
        known ? status.INVALID_ARGUMENT : status.INTERNAL,
        known ? error : new ProtocolError(`the server failed on a message: ${String(error)}`, { cause: error }),
      );
    }
  }

  private dispatch(message: WorkerMessage__Output): void {
    if (message.hello) {
      this.greet(message.hello);
    } else if (this.workerName === undefined) {
      throw new ProtocolError('the first message of a worker must be Hello');
    } else if (message.leaseRequest) {
      this.events.ready(this);
    } else if (message.shardHeader) {
      this.header = this.events.wants(this, message.shardHeader) ? message.shardHeader : undefined;
      this.unwanted = this.header === undefined ? this.greeting.sumBytes : 0;
    } else if (message.shardChunk) {
      this.collect(message.shardChunk);
    } else if (message.heartbeat) {
      return;
    } else if (message.failure) {
      this.events.failed(this, printable(message.failure.message).slice(0, MAX_FAILURE_CHARACTERS));
      void this.leave();
    } else {
      throw new ProtocolError('a worker message without a body, or of a newer version');
    }
  }

  private greet(hello: Hello__Output): void {
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      this.refuse(
        status.FAILED_PRECONDITION,
        new RejectedMessage(
          'wrongVersion',
          `worker '${printable(hello.name)}' speaks protocol version ${hello.protocolVersion} and this server ${PROTOCOL_VERSION}; install the same dpfl version on both`,
        ),
      );
      return;
    }
    if (this.workerName !== undefined) throw new ProtocolError(`worker '${this.name}' said Hello twice`);
    const name = printable(hello.name).slice(0, MAX_NAME_CHARACTERS) || `worker ${this.id}`;
    const objection = this.events.objection(name);
    if (objection !== undefined) {
      this.refuse(status.FAILED_PRECONDITION, objection);
      return;
    }
    this.workerName = name;
    this.events.joined(this);
    void this.welcome();
  }

  private async welcome(): Promise<void> {
    const { welcome, model } = this.greeting;
    await this.send({ welcome });
    for (const chunk of model) await this.send({ modelChunk: chunk });
  }

  private collect(chunk: PayloadChunk): void {
    this.greeting.tally.bytesReceived += chunk.data.byteLength;
    if (this.header === undefined) {
      this.unwanted -= chunk.data.byteLength;
      if (this.unwanted < 0 || chunk.data.byteLength === 0)
        throw new ProtocolError('a chunk came without its shard header');
      return;
    }
    const sum = this.receiver.add(chunk);
    if (sum === undefined) return;
    const header = this.header;
    this.header = undefined;
    try {
      this.events.delivered(this, header, sum);
    } finally {
      if (sum instanceof SpooledSum) sum.dispose();
      else release([sum.buffer]);
    }
  }
}
