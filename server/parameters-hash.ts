import { createHash } from 'node:crypto';

/** A hash takes less than 2 GiB at once. */
const CHUNK_VALUES = 2 ** 26;

/** SHA-256 (hex) of flat parameters as they stand in checkpoints: float32, little endian. */
export function parametersHash(parameters: Float32Array): string {
  const hash = createHash('sha256');
  for (let start = 0; start < parameters.length; start += CHUNK_VALUES) {
    const part = parameters.subarray(start, start + CHUNK_VALUES);
    hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return hash.digest('hex');
}
