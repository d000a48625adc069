/**
 * Memory for the examples of one client after another, or of several at once: as long as the longest, and no garbage for the next. What
 * was written to it holds until it is cleared; fields of clients that follow each other lie behind each other, where there is room.
 */
export class FieldBuffers {
  readonly #float32 = new Map<string, Room<Float32Array<ArrayBuffer>>>();
  readonly #int32 = new Map<string, Room<Int32Array<ArrayBuffer>>>();

  /**
   * `length` elements that hold anything.
   * @param allocate gives new memory of a number of elements, where a field's is to be of some kind
   */
  float32(
    field: string,
    length: number,
    allocate = (size: number) => new Float32Array(size),
  ): Float32Array<ArrayBuffer> {
    return taken(this.#float32, field, length, allocate);
  }

  /** `length` elements that hold anything. */
  int32(field: string, length: number): Int32Array<ArrayBuffer> {
    return taken(this.#int32, field, length, (size) => new Int32Array(size));
  }

  /** Gives all memory free for the next client. */
  clear(): void {
    for (const room of [...this.#float32.values(), ...this.#int32.values()]) room.used = 0;
  }
}

interface Room<Values> {
  values: Values;
  used: number;
}

function taken<Values extends { readonly length: number; subarray(start: number, end: number): Values }>(
  rooms: Map<string, Room<Values>>,
  field: string,
  length: number,
  allocate: (size: number) => Values,
): Values {
  const room = rooms.get(field);
  if (room && room.used + length <= room.values.length) {
    room.used += length;
    return room.values.subarray(room.used - length, room.used);
  }
  // Twice as much where something is kept already: after a few clients there is room for as many as are kept at once.
  const values = allocate(room && room.used > 0 ? Math.max(2 * room.values.length, length) : length);
  rooms.set(field, { values, used: length });
  return values.subarray(0, length);
}
