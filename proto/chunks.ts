import { createHash } from 'node:crypto';
import { ProtocolError } from '../errors.ts';

/** Largest data part of a chunk, well below the largest message. */
export const CHUNK_BYTES = 512 * 1024;

/** One part of a payload, in the shape of the wire's `Chunk`. */
export interface PayloadChunk {
  /** Place in the payload, from 0. */
  readonly index: number;
  /** Size of the whole payload. */
  readonly totalBytes: number;
  readonly data: Uint8Array;
  /** SHA-256 of the whole payload in chunk 0, empty in the others. */
  readonly sha256: Uint8Array;
}

/** Cuts `payload` into chunks whose data are views of it. An empty payload is one empty chunk. */
export function splitPayload(payload: Uint8Array): PayloadChunk[] {
  const totalBytes = payload.byteLength;
  const chunks: PayloadChunk[] = [];
  for (let offset = 0; offset === 0 || offset < totalBytes; offset += CHUNK_BYTES) {
    const index = chunks.length;
    const data = payload.subarray(offset, Math.min(offset + CHUNK_BYTES, totalBytes));
    chunks.push({ index, totalBytes, data, sha256: index === 0 ? digest(payload) : new Uint8Array(0) });
  }
  return chunks;
}

/** Joins the chunks of one payload, which must arrive in order. Chunk 0 begins anew, whatever came before. */
export class PayloadAssembler {
  private readonly what: string;
  private readonly accepts: (totalBytes: number) => boolean;
  private payload = new Uint8Array(0);
  private expected: Uint8Array = new Uint8Array(0);
  private filled = 0;
  /** Index of the chunk to come; 0 when no payload is under way. */
  private next = 0;

  /**
   * @param what names the payload in error messages
   * @param accepts whether a payload of this many bytes may come; asked before memory is taken
   */
  constructor(what: string, accepts: (totalBytes: number) => boolean) {
    this.what = what;
    this.accepts = accepts;
  }

  /**
   * Takes the next chunk, and copies its data.
   * @returns the whole payload, at the start of a buffer of its own, once it is complete; undefined before
   * @throws ProtocolError when the chunk is out of order, empty, too large, or the payload's size or digest is wrong
   */
  add(chunk: PayloadChunk): Uint8Array<ArrayBuffer> | undefined {
    if (chunk.index === 0) this.begin(chunk);
    if (chunk.index !== this.next) this.refuse(`chunk ${chunk.index} came where chunk ${this.next} was due`);
    if (chunk.totalBytes !== this.payload.byteLength) this.refuse(`chunk ${chunk.index} states another total size`);
    const { byteLength } = chunk.data;
    const left = this.payload.byteLength - this.filled;
    if (byteLength > CHUNK_BYTES || byteLength > left) this.refuse(`chunk ${chunk.index} is too large`);
    if (byteLength === 0 && left > 0) this.refuse(`chunk ${chunk.index} is empty`);
    this.payload.set(chunk.data, this.filled);
    this.filled += byteLength;
    this.next += 1;
    return this.filled < this.payload.byteLength ? undefined : this.finish();
  }

  private begin({ totalBytes, sha256 }: PayloadChunk): void {
    if (!Number.isSafeInteger(totalBytes) || totalBytes < 0 || !this.accepts(totalBytes)) {
      this.refuse(`a size of ${totalBytes} bytes is not what is due`);
    }
    this.payload = new Uint8Array(totalBytes);
    // A copy: the view would keep the whole received message alive.
    this.expected = new Uint8Array(sha256);
    this.filled = 0;
    this.next = 0;
  }

  private finish(): Uint8Array<ArrayBuffer> {
    const { payload, expected } = this;
    this.forget();
    if (Buffer.compare(digest(payload), expected) !== 0) this.refuse('its SHA-256 does not match; it was damaged');
    return payload;
  }

  private forget(): void {
    this.payload = new Uint8Array(0);
    this.filled = 0;
    this.next = 0;
  }

  private refuse(reason: string): never {
    this.forget();
    throw new ProtocolError(`${this.what}: ${reason}`);
  }
}

function digest(payload: Uint8Array): Uint8Array {
  return createHash('sha256').update(payload).digest();
}
