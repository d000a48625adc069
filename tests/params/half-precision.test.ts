import { describe, expect, test } from '@jest/globals';
import { floatsOfHalves, type HalfFormat, halvesOf, roundToHalves } from '../../params/half-precision.ts';

const ALL = Uint16Array.from({ length: 65_536 }, (_, half) => half);
const FORMATS = [
  { format: 'float16', exponentBits: 5, bias: 15, fractionBits: 10 },
  { format: 'bfloat16', exponentBits: 8, bias: 127, fractionBits: 7 },
] as const;
type Format = (typeof FORMATS)[number];

/** The value of a bit pattern by the definition in IEEE 754-2019 §3.4. */
function valueByStandard(half: number, { exponentBits, bias, fractionBits }: Format): number {
  const sign = half >>> 15 ? -1 : 1;
  const exponent = (half >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (half & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

const encoded = (values: readonly number[], format: HalfFormat) => [...halvesOf(Float32Array.from(values), format)];

/** The float32 next to a positive one. */
function neighbour(value: number, by: 1 | -1): number {
  const float = Float32Array.of(value);
  new Uint32Array(float.buffer)[0] += by;
  return float[0];
}

describe.each(FORMATS)('$format', (format) => {
  const positive = [...ALL.subarray(0, 0x8000)].filter((half) => Number.isFinite(valueByStandard(half, format)));

  test('all 65536 patterns have the value of the standard, and come back', () => {
    const values = floatsOfHalves(ALL, format.format);
    const due = [...ALL].map((half) => valueByStandard(half, format));
    expect(due.findIndex((value, half) => !Object.is(value, values[half]))).toBe(-1);
    const back = halvesOf(values, format.format);
    expect(ALL.findIndex((half) => back[half] !== half && !Number.isNaN(due[half]))).toBe(-1);
    expect(floatsOfHalves(back, format.format)).toEqual(values);
  });

  test('between all neighbours: ties go to the even one, everything else to the nearer', () => {
    const pairs = positive.slice(0, -1).map((low) => ({ low, even: low + (low & 1) }));
    const middles = pairs.map(({ low }) => (valueByStandard(low, format) + valueByStandard(low + 1, format)) / 2);
    expect(middles.every((middle) => Math.fround(middle) === middle)).toBe(true);
    const even = pairs.map((pair) => pair.even);
    expect(encoded(middles, format.format)).toEqual(even);
    const negative = middles.map((middle) => -middle);
    expect(encoded(negative, format.format)).toEqual(even.map((half) => half | 0x8000));
    const below = middles.map((middle) => neighbour(middle, -1));
    expect(encoded(below, format.format)).toEqual(pairs.map(({ low }) => low));
    const above = middles.map((middle) => neighbour(middle, 1));
    expect(encoded(above, format.format)).toEqual(pairs.map(({ low }) => low + 1));
  });

  test('rounding leaves what a journey there and back leaves, over more than one block, in part of a buffer', () => {
    const values = Float32Array.from({ length: 40_001 }, (_, i) => Math.sin(i) * 10 ** ((i % 9) - 5)).subarray(1);
    const into = new Float32Array(40_001).subarray(1);
    roundToHalves(values, format.format, into);
    expect(into).toEqual(floatsOfHalves(halvesOf(values, format.format), format.format));
    expect(into).not.toEqual(values);
  });
});

// numpy 2.4.6: np.float32(x).astype(np.float16).view(np.uint16)
test.each([
  [0.1, 0x2e66],
  [1 / 3, 0x3555],
  [65504, 0x7bff],
  [65519.99609375, 0x7bff],
  [65520, 0x7c00],
  [-65520, 0xfc00],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [-(2 ** -25), 0x8000],
  [3.0098e-8, 0x0001],
  [6.097555160522461e-5, 0x03ff],
  [6.103515625e-5, 0x0400],
  [1.00048828125, 0x3c00],
  [1.00146484375, 0x3c02],
  [1e-40, 0x0000],
  [3.4e38, 0x7c00],
])('float16 of %d, as numpy has it', (value, half) => {
  expect(encoded([value], 'float16')).toEqual([half]);
});

test('bfloat16 overflows beyond its own largest value only, and a NaN with low bits alone stays one', () => {
  expect(encoded([3.38e38, 3.4e38, -3.4e38], 'bfloat16')).toEqual([0x7f7e, 0x7f80, 0xff80]);
  const nan = new Float32Array(Uint32Array.of(0x7f800001).buffer);
  for (const { format } of FORMATS) expect(floatsOfHalves(halvesOf(nan, format), format)).toEqual(nan);
});
