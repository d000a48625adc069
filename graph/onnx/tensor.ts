import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { ModelError } from '../../errors.ts';
import { type DataType, elementCount, type Tensor, type TensorArray } from '../ir.ts';
import type { TensorProto } from './schema.ts';

const codes: readonly [DataType, number][] = [
  ['float32', 1],
  ['uint8', 2],
  ['int8', 3],
  ['int32', 6],
  ['int64', 7],
  ['string', 8],
  ['bool', 9],
  ['float16', 10],
  ['float64', 11],
  ['uint32', 12],
];

/** TensorProto.DataType code of a data type. */
export function dataTypeCode(dtype: DataType): number {
  return codes.find(([name]) => name === dtype)![1];
}

/** The data type of a TensorProto.DataType code. @throws ModelError for types dpfl does not handle */
export function dataTypeOf(code: number, where: string): DataType {
  const found = codes.find(([, c]) => c === code);
  if (!found)
    throw new ModelError(`${where}: element type code ${code} is not supported; export the model with float32 weights`);
  return found[0];
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
} as const;

/**
 * Decodes a TensorProto. Raw data stays a view of the file's bytes where alignment allows.
 * @param folder where external data files are looked up; they may not lie outside it
 */
export function decodeTensor(proto: TensorProto, folder: string, where: string): Tensor {
  const dtype = dataTypeOf(proto.dataType ?? 0, where);
  if (dtype === 'string') throw new ModelError(`${where}: string tensors are not supported`);
  const dims = (proto.dims ?? []).map(Number);
  const count = elementCount(dims);
  const array = arrays[dtype];
  const raw = proto.dataLocation === 1 ? readExternal(proto, folder, where) : proto.rawData;
  const data = raw && raw.length > 0 ? fromRaw(array, raw) : fromFields(proto, dtype, array);
  if (data.length !== count) {
    throw new ModelError(
      `${where}: holds ${data.length} elements where its shape [${dims}] needs ${count}; the file is damaged`,
    );
  }
  return { dtype, dims, data };
}

type ArrayConstructor = (typeof arrays)[keyof typeof arrays];

function fromRaw(array: ArrayConstructor, raw: Uint8Array): TensorArray {
  const size = array.BYTES_PER_ELEMENT;
  // A copy starts at offset 0. (`slice` would not do: on a Buffer it is a view.)
  const aligned = raw.byteOffset % size === 0 ? raw : new Uint8Array(raw);
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, Math.floor(aligned.byteLength / size));
}

function fromFields(proto: TensorProto, dtype: DataType, array: ArrayConstructor): TensorArray {
  if (dtype === 'int64') return BigInt64Array.from(proto.int64Data ?? [], (value) => BigInt(value.toString()));
  const source = dtype === 'float32' ? proto.floatData : dtype === 'float64' ? proto.doubleData : proto.int32Data;
  return (array as typeof Float32Array).from(source ?? []);
}

function readExternal(proto: TensorProto, folder: string, where: string): Uint8Array {
  const entries = new Map((proto.externalData ?? []).map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  const path = resolve(folder, location);
  if (!path.startsWith(resolve(folder) + sep)) {
    throw new ModelError(
      `${where}: external data '${location}' lies outside the model's folder; move it beside the model`,
    );
  }
  const offset = Number(entries.get('offset') ?? 0);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new ModelError(
      `${where}: external data file ${path} cannot be read (${(error as Error).message}); keep it beside the model`,
    );
  }
  try {
    const rest = statSync(path).size - offset;
    const length = Number(entries.get('length') ?? rest);
    if (!(length >= 0 && offset >= 0 && length <= rest)) {
      throw new ModelError(
        `${where}: external data file ${path} is shorter than the model says (${length} bytes from ${offset} on); copy it again`,
      );
    }
    const bytes = new Uint8Array(length);
    if (readSync(descriptor, bytes, 0, length, offset) !== length) {
      throw new ModelError(`${where}: external data file ${path} is shorter than the model says; copy it again`);
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** A tensor's bytes, little-endian as ONNX raw data. */
export function tensorBytes(tensor: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
