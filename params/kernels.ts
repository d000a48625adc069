import { kernels } from './generated/kernels.ts';

type AddOne = (sum: number, at: number, end: number, factor: number) => void;
type AddSeveral = (sum: number, end: number, ...addressesAndFactors: readonly number[]) => void;

/** Loops in WebAssembly (kernels.wat) that work on one memory; addresses and lengths in bytes. */
export interface Kernels {
  readonly blockedSumOfSquares: (at: number, end: number) => number;
  readonly addTruncated: AddOne;
  /** `addTruncated` of four vectors of the same length; `end` is that of the first. Their addresses come first, then their factors. */
  readonly addFourTruncated: AddSeveral;
  readonly addRounded: AddOne;
  /** `addRounded` of eight vectors, as with `addFourTruncated`. */
  readonly addEightRounded: AddSeveral;
  /** into[i] = a[i] · factor + shift + b[i] in float32, four elements at a time. */
  readonly addScaled: (into: number, end: number, a: number, b: number, factor: number, shift: number) => void;
}

/** A memory and the kernels that reach it. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  readonly kernels: Kernels;
}

const pageBytes = 65_536;
/** Addresses have 32 bits. */
const addressable = 65_535 * pageBytes;

/** A memory of zeros; undefined beyond `mostBytes` (4 GiB), and where WebAssembly has no SIMD. */
export function kernelMemory(bytes: number, mostBytes = addressable): KernelMemory | undefined {
  const pages = Math.ceil(bytes / pageBytes);
  if (pages * pageBytes > mostBytes) return undefined;
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const imports = { vectors: { memory } };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(kernels, 'base64')), imports);
    return { buffer: memory.buffer, kernels: exports as unknown as Kernels };
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof RangeError) return undefined;
    throw error;
  }
}
