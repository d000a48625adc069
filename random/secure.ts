import { randomFillSync } from 'node:crypto';
import type { RandomStream } from './stream.ts';

/** Numbers of 32 bits fetched per call of the operating system's generator: one call costs more than a thousand draws. */
const POOL = 16384;

/**
 * A stream on the operating system's cryptographic generator, through a pool filled by `crypto.randomFillSync`.
 * Not reproducible: for privacy noise that protects a real release. Each draw is erased from the pool as it is handed out,
 * so past noise cannot be read from the memory of this stream.
 */
export function secureStream(): RandomStream {
  const pool = new Int32Array(POOL);
  let next = POOL;
  const int32 = (): number => {
    if (next === POOL) {
      randomFillSync(pool);
      next = 0;
    }
    const value = pool[next];
    pool[next++] = 0;
    return value;
  };
  return {
    uniform: () => (int32() >>> 0) * 2 ** -32,
    int32,
    integer: (bound) => {
      // Rejection keeps every value equally likely: only whole multiples of the bound are folded.
      const limit = 2 ** 53 - (2 ** 53 % bound);
      for (;;) {
        const value = (int32() >>> 11) * 2 ** 32 + (int32() >>> 0);
        if (value < limit) return value % bound;
      }
    },
  };
}
