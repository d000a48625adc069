/** Formats of two bytes: IEEE 754 binary16 (11 significant bits, up to 65504), and the upper half of a float32 (8 significant bits, its range). */
export type HalfFormat = 'float16' | 'bfloat16';

/** Values converted at once where no whole copy is wanted: they stay in the processor's cache. */
const BLOCK = 16_384;

/**
 * The nearest value of the format for each of `values`, ties to even, as its 16 bits. What lies beyond the largest finite value becomes
 * infinite (IEEE 754-2019 §4.3.1); a NaN stays one.
 * @param into receives the bits; as long as `values`
 */
export function halvesOf(
  values: Float32Array,
  format: HalfFormat,
  into: Uint16Array<ArrayBuffer> = new Uint16Array(values.length),
): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (format === 'bfloat16') {
    for (let i = 0; i < bits.length; i++) into[i] = bfloat16Of(bits[i]);
  } else {
    for (let i = 0; i < bits.length; i++) into[i] = float16Of(bits[i]);
  }
  return into;
}

/**
 * The values of 16-bit patterns, exact.
 * @param into receives the values; as long as `halves`
 */
export function floatsOfHalves(
  halves: Uint16Array,
  format: HalfFormat,
  into: Float32Array = new Float32Array(halves.length),
): Float32Array {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  if (format === 'bfloat16') {
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  } else {
    float16Bits ??= Uint32Array.from({ length: 65_536 }, (_, half) => bitsOfFloat16(half));
    for (let i = 0; i < halves.length; i++) bits[i] = float16Bits[halves[i]];
  }
  return into;
}

/** Writes to `into` what is left of `values` after a journey in `format`. */
export function roundToHalves(values: Float32Array, format: HalfFormat, into: Float32Array): void {
  const block = new Uint16Array(Math.min(BLOCK, values.length));
  for (let start = 0; start < values.length; start += BLOCK) {
    const part = values.subarray(start, start + BLOCK);
    const halves = halvesOf(part, format, block.subarray(0, part.length));
    floatsOfHalves(halves, format, into.subarray(start, start + part.length));
  }
}

/** The float32 bits of every float16; made when first needed. */
let float16Bits: Uint32Array | undefined;

/** Adding half a unit of the last place that stays, less one bit when that place is even, makes the carry of rounding to nearest even. */
function bfloat16Of(x: number): number {
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 0x40;
  return (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
}

function float16Of(x: number): number {
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  // 65520, the middle between 65504 and what would be 65536, rounds up to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // From 2^-14: the exponent's bias falls from 127 to 15, and 13 bits of the fraction are rounded away.
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Below: a multiple of 2^-24, or nothing up to the middle 2^-25.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const kept = significand >>> shift;
  return sign | ((significand + (1 << (shift - 1)) - 1 + (kept & 1)) >>> shift);
}

function bitsOfFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // fraction · 2^-24, with the leading bit moved to where float32 does not write it.
  const lead = 31 - Math.clz32(fraction);
  return (sign | ((lead + 103) << 23) | ((fraction << (23 - lead)) & 0x7fffff)) >>> 0;
}
