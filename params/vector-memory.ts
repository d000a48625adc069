import { type Kernels, kernelMemory } from './kernels.ts';

/** The deltas of clients and the sum they are added to. */
export interface ShardVectors {
  readonly delta: Float32Array<ArrayBuffer>;
  readonly sum: Float64Array<ArrayBuffer>;
}

/** The kernels by the memory that they reach. */
const byMemory = new WeakMap<ArrayBufferLike, Kernels>();

/**
 * Zero vectors, a sum of `size` elements and `clients` deltas behind each other, in a WebAssembly memory of their own, on which `quickSumOfSquares`
 * and the loops of grid-sum.ts take half the time and less, and give the same bits. Beyond `mostBytes` (4 GiB), and where WebAssembly has no SIMD, they are ordinary vectors.
 */
export function allocateVectors(size: number, clients = 1, mostBytes?: number): ShardVectors {
  const memory = kernelMemory((8 + 4 * clients) * size, mostBytes);
  if (!memory) return { sum: new Float64Array(size), delta: new Float32Array(clients * size) };
  const { buffer, kernels } = memory;
  byMemory.set(buffer, kernels);
  return { sum: new Float64Array(buffer, 0, size), delta: new Float32Array(buffer, 8 * size, clients * size) };
}

/** The kernels for vectors in one memory; undefined for others. */
export function kernelsOf(...vectors: readonly ArrayBufferView[]): Kernels | undefined {
  const [first] = vectors;
  return vectors.every(({ buffer }) => buffer === first?.buffer) ? byMemory.get(first!.buffer) : undefined;
}
