import { type KernelMemory, kernelMemory } from '../params/kernels.ts';

/** Patterns and noise in a memory that kernels reach, with room for images. */
interface Studio {
  readonly memory: KernelMemory;
  /** Addresses. */
  readonly patterns: number;
  readonly noise: number;
  readonly room: Float32Array<ArrayBuffer>;
}

/** Paints images contrast · pattern + brightness + noise, in float32, by WebAssembly where there is such: several times as fast, and the same bits. */
export class ImagePainter {
  readonly #pixels: number;
  readonly #patterns: Float32Array;
  readonly #noise: Float32Array;
  readonly #mostBytes: number | undefined;
  /** With room for one image, which is copied from there. */
  readonly #canvas: Studio | undefined;
  /** With the room that was asked for last: images are painted where they stay. */
  #rooms: Studio | undefined;

  /**
   * @param patterns [patterns, pixels]
   * @param noise as long as the last place it is taken from and an image
   * @param mostBytes beyond these, without WebAssembly; default 4 GiB
   */
  constructor(patterns: Float32Array, noise: Float32Array, pixels: number, mostBytes?: number) {
    this.#pixels = pixels;
    this.#patterns = patterns;
    this.#noise = noise;
    this.#mostBytes = mostBytes;
    this.#canvas = this.#furnish(pixels);
  }

  /** Room for so many pixels, in which images are painted without a copy until the next is asked for; ordinary memory where there is no WebAssembly. */
  allocate(pixels: number): Float32Array<ArrayBuffer> {
    this.#rooms = this.#canvas && this.#furnish(pixels);
    return this.#rooms?.room ?? new Float32Array(pixels);
  }

  /**
   * Paints one image of `pixels` values. In room that the painter has allocated, up to three values behind it change, too.
   * @param at where it begins in `into`
   * @param pattern its number
   * @param start where its noise begins
   */
  paint(into: Float32Array, at: number, pattern: number, start: number, contrast: number, brightness: number): void {
    const from = pattern * this.#pixels;
    const stays = this.#rooms !== undefined && into.buffer === this.#rooms.room.buffer;
    const studio = stays ? this.#rooms : this.#canvas;
    if (!studio) {
      this.#paint(into, at, from, start, Math.fround(contrast), Math.fround(brightness));
      return;
    }
    const image = stays ? into.byteOffset + 4 * at : studio.room.byteOffset;
    const end = image + 16 * Math.ceil(this.#pixels / 4);
    const [a, b] = [studio.patterns + 4 * from, studio.noise + 4 * start];
    studio.memory.kernels.addScaled(image, end, a, b, contrast, brightness);
    if (!stays) into.set(studio.room, at);
  }

  #furnish(room: number): Studio | undefined {
    // The kernel takes four pixels at a time, and may read and write up to three more than there are.
    const [ofPatterns, ofNoise, ofRoom] = [this.#patterns.length, this.#noise.length, room].map(
      (length) => 16 * (Math.ceil(length / 4) + 1),
    ) as [number, number, number];
    const memory = kernelMemory(ofPatterns + ofNoise + ofRoom, this.#mostBytes);
    if (!memory) return undefined;
    new Float32Array(memory.buffer, 0).set(this.#patterns);
    new Float32Array(memory.buffer, ofPatterns).set(this.#noise);
    const images = ofPatterns + ofNoise;
    return { memory, patterns: 0, noise: ofPatterns, room: new Float32Array(memory.buffer, images, room) };
  }

  /** What the kernel does, rounding for rounding. */
  #paint(into: Float32Array, at: number, from: number, start: number, contrast: number, brightness: number): void {
    const { fround } = Math;
    for (let i = 0; i < this.#pixels; i++) {
      into[at + i] = fround(fround(contrast * this.#patterns[from + i]!) + brightness) + this.#noise[start + i]!;
    }
  }
}
