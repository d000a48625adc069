import { readFileSync } from 'node:fs';
import { type NpyArray, parse } from 'npyjs';
import { DataError } from '../errors.ts';
import type { TensorData } from './dataset.ts';

/**
 * Reads a NumPy array: floating-point numbers become float32, integers and booleans int32.
 * @throws DataError for a file that is missing, no .npy file, in Fortran order, of another type, or with an integer beyond 32 bits
 */
export function readNpy(file: string): TensorData {
  const { data, shape, dtype, fortranOrder } = parseFile(file);
  if (fortranOrder && shape.length > 1) {
    throw new DataError(`${file}: is stored in Fortran order; save np.ascontiguousarray of it`);
  }
  const values = data as unknown as ArrayLike<number | bigint>;
  const expected = shape.reduce((product, size) => product * size, 1);
  if (values.length !== expected)
    throw new DataError(`${file}: holds ${values.length} values where [${shape}] need ${expected}; it is cut off`);
  if (/^f[248]$/.test(dtype)) {
    return { type: 'float32', dims: shape, data: Float32Array.from(values as ArrayLike<number>) };
  }
  if (!/^([iu][1248]|b1)$/.test(dtype)) {
    throw new DataError(`${file}: has elements of type ${dtype}; save floating-point numbers, integers or booleans`);
  }
  const integers = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (value !== (value | 0)) throw new DataError(`${file}: ${value} does not fit 32 bits`);
    integers[i] = value;
  }
  return { type: 'int32', dims: shape, data: integers };
}

function parseFile(file: string): NpyArray {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new DataError(`${file}: cannot be read (${(cause as Error).message})`, { cause });
  }
  try {
    // The parser reads from the start of an ArrayBuffer, and small Buffers share one.
    return parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
  } catch (cause) {
    throw new DataError(`${file}: is not a .npy file (${(cause as Error).message}); save it with numpy.save`, {
      cause,
    });
  }
}
