type NpyType = '<f8' | '<f4' | '<i8' | '<i4' | '|u1';

/** A version 1.0 .npy file, after NumPy's description of the format. */
export function npyBytes(
  descr: NpyType,
  shape: readonly number[],
  values: readonly number[],
  fortran = false,
): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${tuple}), }`;
  const header = `${dictionary.padEnd(64 * Math.ceil((dictionary.length + 11) / 64) - 11)}\n`;
  const prefix = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([prefix, Buffer.from(header, 'latin1'), bytesOf(descr, values)]);
}

function bytesOf(descr: NpyType, values: readonly number[]): Uint8Array {
  const array = {
    '<f8': () => Float64Array.from(values),
    '<f4': () => Float32Array.from(values),
    '<i8': () => BigInt64Array.from(values, BigInt),
    '<i4': () => Int32Array.from(values),
    '|u1': () => Uint8Array.from(values),
  }[descr]();
  return new Uint8Array(array.buffer);
}
