import { kernels } from './generated/kernels.ts';

/** A client's delta and the sum it is added to. */
export interface ShardVectors {
  readonly delta: Float32Array<ArrayBuffer>;
  readonly sum: Float64Array<ArrayBuffer>;
}

/** The kernels that work on one memory; addresses and lengths in bytes. */
interface Kernels {
  readonly sumOfSquares: (at: number, end: number) => number;
  readonly addTruncated: (sum: number, at: number, end: number, factor: number) => void;
}

const pageBytes = 65_536;
/** Addresses have 32 bits. */
const addressable = 65_535 * pageBytes;

/** The kernels by the memory that they reach. */
const byMemory = new WeakMap<ArrayBufferLike, Kernels>();

/**
 * Zero vectors of `size` elements in a WebAssembly memory of their own, on which `sumOfSquares` and `addTruncated` take half the time
 * and give the same bits. Beyond 4 GiB, and where WebAssembly has no SIMD, they are ordinary vectors.
 */
export function allocateVectors(size: number, mostBytes = addressable): ShardVectors {
  const pages = Math.ceil((12 * size) / pageBytes);
  if (pages * pageBytes <= mostBytes) {
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      const imports = { vectors: { memory } };
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(kernels, 'base64')), imports);
      byMemory.set(memory.buffer, exports as Kernels);
      return { sum: new Float64Array(memory.buffer, 0, size), delta: new Float32Array(memory.buffer, 8 * size, size) };
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError || error instanceof RangeError)) throw error;
    }
  }
  return { sum: new Float64Array(size), delta: new Float32Array(size) };
}

/** The kernels for vectors in one memory; undefined for others. */
export function kernelsOf(...vectors: readonly ArrayBufferView[]): Kernels | undefined {
  const [first] = vectors;
  return vectors.every(({ buffer }) => buffer === first?.buffer) ? byMemory.get(first!.buffer) : undefined;
}
