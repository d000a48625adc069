import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../errors.ts';
import { bytesOfFloats, float64sOfBytes } from '../proto/floats.ts';

const BLOCK_BYTES = 4 * 1024 * 1024;

/**
 * A shard's sum on the disk: of a large model, sums of several workers on their way in would take far more memory than the
 * parameters. The file has no name from the moment it is open, so that no crash leaves it behind.
 */
export class SpooledSum implements Iterable<number> {
  /** Number of values. */
  readonly length: number;
  readonly #directory: string;
  readonly #file: number;

  /** @throws DataError when no file can be made in `directory` */
  constructor(length: number, directory: string) {
    this.length = length;
    this.#directory = directory;
    const path = join(directory, `dpfl-sum-${randomUUID()}`);
    this.#file = this.#try(() => openSync(path, 'wx+', 0o600));
    rmSync(path, { force: true });
  }

  /** Writes values from the given place on. @throws DataError when the disk is full */
  write(values: Float64Array | Int32Array, first: number): void {
    const bytes = bytesOfFloats(values instanceof Float64Array ? values : new Float64Array(values));
    for (let done = 0; done < bytes.length; ) {
      const from = done;
      done += this.#try(() => writeSync(this.#file, bytes, from, bytes.length - from, 8 * first + from));
    }
  }

  /** The values in order, in blocks; each block is valid until the next. */
  *blocks(): Generator<Float64Array> {
    const buffer = new Uint8Array(BLOCK_BYTES);
    for (let offset = 0; offset < 8 * this.length; ) {
      const wanted = Math.min(BLOCK_BYTES, 8 * this.length - offset);
      for (let done = 0; done < wanted; ) {
        const from = done;
        const read = this.#try(() => readSync(this.#file, buffer, from, wanted - from, offset + from));
        if (read === 0) throw new DataError(`${this.#directory}: a sum stored there was cut short`);
        done += read;
      }
      yield float64sOfBytes(buffer.subarray(0, wanted));
      offset += wanted;
    }
  }

  *[Symbol.iterator](): Generator<number> {
    for (const block of this.blocks()) yield* block;
  }

  /** Frees the disk; the sum cannot be read afterwards. */
  dispose(): void {
    closeSync(this.#file);
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new DataError(
        `${this.#directory}: a shard's sum of ${8 * this.length} bytes cannot be stored (${(cause as Error).message}); make room there, or set TMPDIR`,
        { cause },
      );
    }
  }
}

/** Grid integers of a sum that came over the wire: in memory as they travelled, or on the disk. */
export type ReceivedSum = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> | SpooledSum;

/** A sum's values in order, block by block, wherever they are. */
export function blocksOf(sum: Float64Array | ReceivedSum): Iterable<Float64Array | Int32Array> {
  return sum instanceof SpooledSum ? sum.blocks() : [sum];
}
