import { type KernelMemory, kernelMemory } from '../params/kernels.ts';

/** Paints images contrast · pattern + brightness + noise, in float32, by WebAssembly where there is such: several times as fast, and the same bits. */
export class ImagePainter {
  readonly #pixels: number;
  readonly #patterns: Float32Array;
  readonly #noise: Float32Array;
  readonly #memory: KernelMemory | undefined;
  /** In the memory: where an image is painted before it is copied. */
  readonly #canvas: Float32Array;

  /**
   * @param patterns [patterns, pixels]
   * @param noise as long as the last place it is taken from and an image
   * @param mostBytes beyond these, without WebAssembly; default 4 GiB
   */
  constructor(patterns: Float32Array, noise: Float32Array, pixels: number, mostBytes?: number) {
    this.#pixels = pixels;
    // The kernel takes four pixels at a time, and may read and write up to three more than there are.
    const [ofPatterns, ofNoise, ofCanvas] = [patterns.length, noise.length, pixels].map(
      (length) => 16 * Math.ceil(length / 4),
    ) as [number, number, number];
    const bytes = ofPatterns + ofNoise + ofCanvas;
    this.#memory = kernelMemory(bytes, mostBytes);
    const buffer = this.#memory?.buffer ?? new ArrayBuffer(bytes);
    this.#patterns = new Float32Array(buffer, 0, patterns.length);
    this.#noise = new Float32Array(buffer, ofPatterns, noise.length);
    this.#canvas = new Float32Array(buffer, ofPatterns + ofNoise, pixels);
    this.#patterns.set(patterns);
    this.#noise.set(noise);
  }

  /**
   * Paints one image of `pixels` values.
   * @param at where it begins in `into`
   * @param pattern its number
   * @param start where its noise begins
   */
  paint(into: Float32Array, at: number, pattern: number, start: number, contrast: number, brightness: number): void {
    const from = pattern * this.#pixels;
    if (!this.#memory) {
      this.#paint(into, at, from, start, Math.fround(contrast), Math.fround(brightness));
      return;
    }
    const canvas = this.#canvas.byteOffset;
    const end = canvas + 16 * Math.ceil(this.#pixels / 4);
    const [a, b] = [this.#patterns.byteOffset + 4 * from, this.#noise.byteOffset + 4 * start];
    this.#memory.kernels.addScaled(canvas, end, a, b, contrast, brightness);
    into.set(this.#canvas, at);
  }

  /** What the kernel does, rounding for rounding. */
  #paint(into: Float32Array, at: number, from: number, start: number, contrast: number, brightness: number): void {
    const { fround } = Math;
    for (let i = 0; i < this.#pixels; i++) {
      into[at + i] = fround(fround(contrast * this.#patterns[from + i]!) + brightness) + this.#noise[start + i]!;
    }
  }
}
