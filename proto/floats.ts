import { endianness } from 'node:os';
import { ProtocolError } from '../errors.ts';

/** The wire is little-endian, as are nearly all machines: there, these conversions are views. */
const swap = endianness() === 'BE';

/** The little-endian bytes of `values`: a view, not a copy (a swapped copy on a big-endian machine). */
export function bytesOfFloats(values: Float32Array | Float64Array | Int32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return swap ? swapped(bytes, values.BYTES_PER_ELEMENT) : bytes;
}

/** The little-endian bytes of 16-bit patterns, as `bytesOfFloats`. */
export function bytesOfHalves(halves: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength);
  return swap ? swapped(bytes, 2) : bytes;
}

/**
 * The 16-bit patterns in little-endian `bytes`: a view when the bytes are aligned, else a copy.
 * @throws ProtocolError when the length is odd
 */
export function halvesOfBytes(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = native(bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/**
 * The float32 values in little-endian `bytes`: a view when the bytes are aligned, else a copy.
 * @throws ProtocolError when the length is not a multiple of 4
 */
export function float32sOfBytes(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = native(bytes, 4);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/**
 * The int32 values in little-endian `bytes`: a view when the bytes are aligned, else a copy.
 * @throws ProtocolError when the length is not a multiple of 4
 */
export function int32sOfBytes(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, byteLength } = native(bytes, 4);
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

/**
 * The float64 values in little-endian `bytes`: a view when the bytes are aligned, else a copy.
 * @throws ProtocolError when the length is not a multiple of 8
 */
export function float64sOfBytes(bytes: Uint8Array): Float64Array {
  const { buffer, byteOffset, byteLength } = native(bytes, 8);
  return new Float64Array(buffer, byteOffset, byteLength / 8);
}

/** `bytes` in this machine's byte order and aligned for elements of `size` bytes. */
function native(bytes: Uint8Array, size: 2 | 4 | 8): Uint8Array {
  if (bytes.byteLength % size !== 0) {
    throw new ProtocolError(`a payload of ${bytes.byteLength} bytes does not hold whole float${size * 8} values`);
  }
  if (swap) return swapped(bytes, size);
  return bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  const buffer = Buffer.from(copy.buffer);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else buffer.swap64();
  return copy;
}
