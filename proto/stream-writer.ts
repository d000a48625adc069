import { ProtocolError } from '../errors.ts';

/** The sending side of a gRPC stream. */
export interface MessageSink<Message> {
  write(message: Message, sent: (error?: Error | null) => void): boolean;
}

/**
 * Sends messages one at a time: each is handed to the transport, under its flow control, before the next is encoded,
 * so that a slow peer costs one message of memory, however long the payload.
 */
export class StreamWriter<Message> {
  private readonly sink: MessageSink<Message>;
  private readonly pending = new Set<(error: Error) => void>();
  private queue: Promise<void> = Promise.resolve();
  private failure: Error | undefined;

  constructor(sink: MessageSink<Message>) {
    this.sink = sink;
  }

  /**
   * Sends `message` after all earlier ones. Resolves when the transport took it.
   * @throws ProtocolError (or the error given to `abandon`) when the stream is gone
   */
  send(message: Message): Promise<void> {
    const sent = this.queue.then(() => this.write(message));
    // One failed message fails alone; later ones fail by `failure`.
    this.queue = sent.catch(() => undefined);
    return sent;
  }

  /** The stream is gone: a transport then forgets its callbacks, so pending sends are failed here, and later ones at once. */
  abandon(error: Error): void {
    this.failure ??= error;
    for (const reject of this.pending) reject(this.failure);
    this.pending.clear();
  }

  private write(message: Message): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.pending.add(reject);
      this.sink.write(message, (error) => {
        this.pending.delete(reject);
        if (error) reject(new ProtocolError(`a message could not be sent: ${error.message}`, { cause: error }));
        else resolve();
      });
    });
  }
}
