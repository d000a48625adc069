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

/** Where a chunk belongs in its payload. */
export interface ChunkPlace {
  /** Bytes before it; 0 begins a payload anew. */
  readonly offset: number;
  readonly totalBytes: number;
  /** Whether it completes the payload, whose digest is then right. */
  readonly last: boolean;
}

/**
 * Checks that chunks make up whole payloads: order, sizes and digest. Chunk 0 begins anew, whatever came before. The data is
 * the caller's to keep.
 */
export class PayloadSequence {
  private readonly what: string;
  private readonly accepts: (totalBytes: number) => boolean;
  private hash = createHash('sha256');
  private expected: Uint8Array = new Uint8Array(0);
  private total = 0;
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

  /** @throws ProtocolError when the chunk is out of order, empty, too large, or the payload's size or digest is wrong */
  take(chunk: PayloadChunk): ChunkPlace {
    if (chunk.index === 0) this.begin(chunk);
    if (chunk.index !== this.next) this.refuse(`chunk ${chunk.index} came where chunk ${this.next} was due`);
    if (chunk.totalBytes !== this.total) this.refuse(`chunk ${chunk.index} states another total size`);
    const { byteLength } = chunk.data;
    const left = this.total - this.filled;
    if (byteLength > CHUNK_BYTES || byteLength > left) this.refuse(`chunk ${chunk.index} is too large`);
    if (byteLength === 0 && left > 0) this.refuse(`chunk ${chunk.index} is empty`);
    this.hash.update(chunk.data);
    const offset = this.filled;
    const totalBytes = this.total;
    this.filled += byteLength;
    this.next += 1;
    const last = this.filled === totalBytes;
    if (last) this.finish();
    return { offset, totalBytes, last };
  }

  private begin({ totalBytes, sha256 }: PayloadChunk): void {
    if (!Number.isSafeInteger(totalBytes) || totalBytes < 0 || !this.accepts(totalBytes)) {
      this.refuse(`a size of ${totalBytes} bytes is not what is due`);
    }
    this.hash = createHash('sha256');
    this.total = totalBytes;
    // A copy: the view would keep the whole received message alive.
    this.expected = new Uint8Array(sha256);
    this.filled = 0;
    this.next = 0;
  }

  private finish(): void {
    const matches = Buffer.compare(this.hash.digest(), this.expected) === 0;
    this.forget();
    if (!matches) this.refuse('its SHA-256 does not match; it was damaged');
  }

  private forget(): void {
    this.total = 0;
    this.filled = 0;
    this.next = 0;
  }

  private refuse(reason: string): never {
    this.forget();
    throw new ProtocolError(`${this.what}: ${reason}`);
  }
}

/** Joins the chunks of one payload in memory. */
export class PayloadAssembler {
  private readonly sequence: PayloadSequence;
  private payload = new Uint8Array(0);

  /** As for `PayloadSequence`. */
  constructor(what: string, accepts: (totalBytes: number) => boolean) {
    this.sequence = new PayloadSequence(what, accepts);
  }

  /**
   * Takes the next chunk, and copies its data.
   * @returns the whole payload, at the start of a buffer of its own, once it is complete; undefined before
   * @throws ProtocolError as `PayloadSequence.take`
   */
  add(chunk: PayloadChunk): Uint8Array<ArrayBuffer> | undefined {
    try {
      const { offset, totalBytes, last } = this.sequence.take(chunk);
      if (offset === 0) this.payload = new Uint8Array(totalBytes);
      this.payload.set(chunk.data, offset);
      if (!last) return undefined;
    } catch (error) {
      this.payload = new Uint8Array(0);
      throw error;
    }
    const { payload } = this;
    this.payload = new Uint8Array(0);
    return payload;
  }
}

/** A hash takes less than 2 GiB at once. */
function digest(payload: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  const part = 2 ** 28;
  for (let start = 0; start < payload.length; start += part) hash.update(payload.subarray(start, start + part));
  return hash.digest();
}
