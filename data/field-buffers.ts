/**
 * Memory for the examples of one client after another: as long as the longest of them, and no garbage for the next. What was written to it
 * holds until the next batch asks for the same fields.
 */
export class FieldBuffers {
  readonly #float32 = new Map<string, Float32Array<ArrayBuffer>>();
  readonly #int32 = new Map<string, Int32Array<ArrayBuffer>>();

  /** `length` elements that hold anything. */
  float32(field: string, length: number): Float32Array<ArrayBuffer> {
    const known = this.#float32.get(field);
    if (known && known.length >= length) return known.subarray(0, length);
    const made = new Float32Array(length);
    this.#float32.set(field, made);
    return made;
  }

  /** `length` elements that hold anything. */
  int32(field: string, length: number): Int32Array<ArrayBuffer> {
    const known = this.#int32.get(field);
    if (known && known.length >= length) return known.subarray(0, length);
    const made = new Int32Array(length);
    this.#int32.set(field, made);
    return made;
  }
}
