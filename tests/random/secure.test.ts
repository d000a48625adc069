import { describe, expect, test } from '@jest/globals';
import { secureStream } from '../../random/secure.ts';

describe('secureStream', () => {
  test('two streams differ, and one does not repeat across refills of its pool', () => {
    const draw = (stream: { int32(): number }) => Array.from({ length: 4 }, () => stream.int32()).join();
    const stream = secureStream();
    const seen = new Set<string>();
    for (let i = 0; i < 10_000; i++) seen.add(draw(stream));
    expect(seen.size).toBe(10_000);
    expect(draw(secureStream())).not.toBe(draw(secureStream()));
  });

  test('every bit of int32 is fair', () => {
    const stream = secureStream();
    const ones = new Float64Array(32);
    for (let i = 0; i < 20_000; i++) {
      const value = stream.int32();
      for (let bit = 0; bit < 32; bit++) ones[bit] += (value >>> bit) & 1;
    }
    // Six standard errors: fails once in 15 million runs.
    for (const count of ones) expect(Math.abs(count - 10_000)).toBeLessThan(6 * Math.sqrt(5000));
  });

  test('uniform stays in [0, 1) and integer below its bound, also above 32 bits', () => {
    const stream = secureStream();
    let largest = 0;
    for (let i = 0; i < 1000; i++) {
      const u = stream.uniform();
      expect(u >= 0 && u < 1).toBe(true);
      expect([0, 1, 2]).toContain(stream.integer(3));
      largest = Math.max(largest, stream.integer(2 ** 50));
    }
    expect(largest).toBeGreaterThan(2 ** 48);
    expect(largest).toBeLessThan(2 ** 50);
  });
});
