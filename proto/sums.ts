import { bytesOfFloats, float64sOfBytes, int32sOfBytes } from './floats.ts';

const largest = 2 ** 31 - 1;

/**
 * A sum of grid integers as it travels: 4 bytes each where all of them fit into int32, as those of a shard nearly always do, else 8 bytes
 * each, as float64. The size of the payload tells which. Exact either way.
 */
export function bytesOfSum(sum: Float64Array): Uint8Array {
  const narrow = new Int32Array(sum.length);
  for (let i = 0; i < sum.length; i += 1) {
    if (!(Math.abs(sum[i]) <= largest)) return bytesOfFloats(sum);
    narrow[i] = sum[i];
  }
  return bytesOfFloats(narrow);
}

/**
 * The values in a part of such a payload.
 * @param narrow whether the payload has 4 bytes per value
 * @throws ProtocolError when the part does not hold whole values
 */
export function sumOfBytes(bytes: Uint8Array, narrow: boolean): Float64Array | Int32Array {
  return narrow ? int32sOfBytes(bytes) : float64sOfBytes(bytes);
}
