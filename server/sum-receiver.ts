import { tmpdir } from 'node:os';
import { type PayloadChunk, PayloadSequence } from '../proto/chunks.ts';
import { sumOfBytes } from '../proto/sums.ts';
import { RejectedMessage } from './faults.ts';
import { type ReceivedSum, SpooledSum } from './spooled-sum.ts';

/** A sum up to this size waits in memory until it is whole. */
const MEMORY_BYTES = 32 * 1024 * 1024;

/** Where sums on their way in are kept until they are whole and verified. */
export interface SumStorage {
  /** Larger sums go to the disk. Default 32 MiB. */
  readonly memoryBytes?: number;
  /** Default: the system's directory for temporary files. */
  readonly directory?: string;
}

/**
 * Takes in the chunks of a shard's sum. Nothing is added to the round before the last chunk has come and the digest is right, so a damaged
 * or broken-off upload leaves no trace; a large one waits on the disk, so that memory does not grow with the number of workers.
 */
export class SumReceiver {
  readonly #bytes: number;
  readonly #storage: SumStorage;
  readonly #sequence: PayloadSequence;
  #sum: ReceivedSum | undefined;

  /** @param bytes 8 per parameter; see `bytesOfSum` */
  constructor(bytes: number, storage: SumStorage = {}) {
    this.#bytes = bytes;
    this.#storage = storage;
    this.#sequence = new PayloadSequence('shard sum', (total) => {
      if (total === bytes || 2 * total === bytes) return true;
      throw new RejectedMessage('wrongSize', `shard sum: ${total} bytes came where ${bytes} or ${bytes / 2} were due`);
    });
  }

  /**
   * Takes the next chunk.
   * @returns the sum once it is whole; it is the caller's then, who disposes of a spooled one. Undefined before
   * @throws ProtocolError when the chunk does not fit; RejectedMessage when it holds anything but grid integers;
   *   DataError when the disk does not take it
   */
  add(chunk: PayloadChunk): ReceivedSum | undefined {
    try {
      const { offset, totalBytes, last } = this.#sequence.take(chunk);
      const narrow = totalBytes < this.#bytes;
      const values = sumOfBytes(chunk.data, narrow);
      if (values instanceof Float64Array) requireGridIntegers(values);
      if (offset === 0) this.#begin(narrow);
      const first = offset / (narrow ? 4 : 8);
      if (this.#sum instanceof SpooledSum) this.#sum.write(values, first);
      else if (this.#sum) this.#sum.set(values, first);
      if (!last) return undefined;
    } catch (error) {
      this.abandon();
      throw error;
    }
    const sum = this.#sum;
    this.#sum = undefined;
    return sum;
  }

  /** The rest will not come: gives back what the sum took. */
  abandon(): void {
    if (this.#sum instanceof SpooledSum) this.#sum.dispose();
    this.#sum = undefined;
  }

  #begin(narrow: boolean): void {
    this.abandon();
    const { memoryBytes = MEMORY_BYTES, directory = tmpdir() } = this.#storage;
    const length = this.#bytes / 8;
    if (this.#bytes > memoryBytes) this.#sum = new SpooledSum(length, directory);
    else this.#sum = narrow ? new Int32Array(length) : new Float64Array(length);
  }
}

function requireGridIntegers(values: Float64Array): void {
  // An indexed loop: several times as fast as iteration over millions of values.
  for (let i = 0; i < values.length; i += 1) {
    if (Number.isSafeInteger(values[i])) continue;
    const reason = Number.isFinite(values[i]) ? 'malformed' : 'notFinite';
    throw new RejectedMessage(reason, `shard result: ${values[i]} is not a grid integer`);
  }
}
