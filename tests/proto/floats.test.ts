import { describe, expect, test } from '@jest/globals';
import { ProtocolError } from '../../errors.ts';
import { bytesOfFloats, float32sOfBytes, float64sOfBytes } from '../../proto/floats.ts';

const special = [0, -0, 1.5, -2.25, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40, 3e38];

function shifted(bytes: Uint8Array, offset: number): Uint8Array {
  const host = new Uint8Array(bytes.length + offset);
  host.set(bytes, offset);
  return host.subarray(offset);
}

describe('float bytes', () => {
  test('are little-endian', () => {
    const float32 = Float32Array.from(special);
    const view32 = new DataView(Uint8Array.from(bytesOfFloats(float32)).buffer);
    expect(special.map((_, index) => view32.getFloat32(4 * index, true))).toEqual([...float32]);
    const view64 = new DataView(Uint8Array.from(bytesOfFloats(Float64Array.from(special))).buffer);
    expect(special.map((_, index) => view64.getFloat64(8 * index, true))).toEqual(special);
  });

  test('of a part of a buffer are only that part', () => {
    const whole = Float32Array.from([1, 2, 3, 4]);
    expect(float32sOfBytes(bytesOfFloats(whole.subarray(1, 3)))).toEqual(Float32Array.from([2, 3]));
  });

  test.each([0, 1, 3, 4, 8])('come back from any alignment (offset %i)', (offset) => {
    const float32 = Float32Array.from(special);
    const float64 = Float64Array.from(special);
    expect(float32sOfBytes(shifted(bytesOfFloats(float32), offset))).toEqual(float32);
    expect(float64sOfBytes(shifted(bytesOfFloats(float64), offset))).toEqual(float64);
  });

  test('keep the bits of a NaN', () => {
    const bits = Uint32Array.from([0x7fc01234]);
    const bytes = bytesOfFloats(new Float32Array(bits.buffer));
    expect(new Uint32Array(float32sOfBytes(bytes).buffer)).toEqual(bits);
  });

  test('must be whole values', () => {
    expect(() => float32sOfBytes(new Uint8Array(6))).toThrow(ProtocolError);
    expect(() => float64sOfBytes(new Uint8Array(12))).toThrow(/12 bytes does not hold whole float64/);
  });
});
