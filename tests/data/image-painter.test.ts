import { describe, expect, test } from '@jest/globals';
import { ImagePainter } from '../../data/image-painter.ts';
import { standardNormal } from '../../random/normal.ts';
import { namedStream } from '../../random/stream.ts';

function normals(length: number): Float32Array {
  const random = namedStream('image painter test', `${length}`);
  return Float32Array.from({ length }, () => standardNormal(random));
}

describe('painted images', () => {
  // 7 pixels: not a multiple of the four that the kernel takes at once.
  test.each([7, 12, 49])(
    'of %d pixels are contrast · pattern + brightness + noise, with nothing beside them touched',
    (pixels) => {
      const [patterns, noise] = [normals(3 * pixels), normals(20 + pixels)];
      const painter = new ImagePainter(patterns, noise, pixels);
      for (const [pattern, start] of [
        [0, 0],
        [2, 20],
        [1, 13],
      ] as const) {
        const into = new Float32Array(pixels + 4).fill(99);
        painter.paint(into, 2, pattern, start, 0.7, -0.2);
        const expected = Array.from(
          { length: pixels },
          (_, i) => 0.7 * patterns[pattern * pixels + i]! - 0.2 + noise[start + i]!,
        );
        expected.forEach((value, i) => {
          expect(into[2 + i]).toBeCloseTo(value, 5);
        });
        expect([into[0], into[1], into[pixels + 2], into[pixels + 3]]).toEqual([99, 99, 99, 99]);
      }
    },
  );

  test('are the same bits in room of the painter, one behind the other, whatever room was asked for later', () => {
    const pixels = 7;
    const painter = new ImagePainter(normals(3 * pixels), normals(20 + pixels), pixels);
    const paint = (into: Float32Array) => {
      for (let i = 0; i < 3; i++) painter.paint(into, i * pixels, i, 5 * i, 0.7, -0.2);
      return Float32Array.from(into.subarray(0, 3 * pixels));
    };
    const copied = paint(new Float32Array(3 * pixels));
    const room = painter.allocate(3 * pixels);
    expect(room.length).toBe(3 * pixels);
    expect(paint(room)).toEqual(copied);
    const larger = painter.allocate(5 * pixels);
    expect(paint(room.fill(0))).toEqual(copied);
    expect(paint(larger.subarray(pixels))).toEqual(copied);
    expect(new ImagePainter(normals(7), normals(27), 7, 0).allocate(9)).toEqual(new Float32Array(9));
  });

  test('are the same bits without WebAssembly', () => {
    const pixels = 1001;
    const [patterns, noise] = [normals(4 * pixels), normals(500 + pixels)];
    const images = [undefined, 0].map((mostBytes) => {
      const into = new Float32Array(4 * pixels);
      const painter = new ImagePainter(patterns, noise, pixels, mostBytes);
      for (let i = 0; i < 4; i++) painter.paint(into, i * pixels, i, 123 * i, 0.1 + i / 3, 0.4 - i / 7);
      return into;
    });
    expect(images[0]).toEqual(images[1]);
    expect(images[0]!.every((value) => value !== 0)).toBe(true);
  });
});
