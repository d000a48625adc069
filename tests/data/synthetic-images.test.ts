import { describe, expect, test } from '@jest/globals';
import { syntheticImagesConfig } from '../../data/config.ts';
import { FieldBuffers } from '../../data/field-buffers.ts';
import { SyntheticImages } from '../../data/synthetic-images.ts';
import { DataError } from '../../errors.ts';

function open(settings: object = {}, seed: number | string = 1): SyntheticImages {
  return new SyntheticImages(syntheticImagesConfig.parse({ kind: 'synthetic-images', ...settings }), seed);
}

describe('synthetic images', () => {
  test('give every user images and labels of the stated sizes, the same each time', () => {
    const data = open({ population: 1e9, samplesPerUser: 7, imageShape: [3, 8, 6], classes: 4 });
    const { count, fields } = data.client(999_999_999);
    expect(count).toBe(7);
    expect(fields.image!.dims).toEqual([7, 3, 8, 6]);
    expect(fields.image!.data).toHaveLength(7 * 3 * 8 * 6);
    expect(fields.label!.data.every((label) => label >= 0 && label < 4)).toBe(true);
    expect(data.client(999_999_999)).toEqual({ count, fields });
    expect(data.client(1).fields.image!.data).not.toEqual(fields.image!.data);
    expect(() => data.client(1e9)).toThrow(DataError);
  });

  test('are the same for users who share memory, also after it has grown, one behind the other', () => {
    // 7 pixels: images are painted four at a time, and may not reach into those of others.
    const data = open({ samplesPerUser: 5, samplesSpread: 0.5, imageShape: [1, 7, 1], population: 100 });
    const buffers = new FieldBuffers();
    for (let turn = 0; turn < 4; turn++) {
      buffers.clear();
      const ids = [0, 1, 2, 3, 4].map((id) => 5 * turn + id);
      const together = ids.map((id) => data.client(id, buffers));
      expect(together).toEqual(ids.map((id) => data.client(id)));
    }
  });

  test('the nearest pattern tells the class when there is no noise: equal labels share few images', () => {
    const { fields } = open({ samplesPerUser: 400, noise: 0, imageShape: [1, 6, 6] }).client(3);
    const images = new Map<number, Set<string>>();
    const label = fields.label!.data;
    label.forEach((value, row) => {
      const image = fields.image!.data.slice(row * 36, (row + 1) * 36).join();
      images.set(value, (images.get(value) ?? new Set()).add(image));
    });
    expect(images.size).toBe(10);
    // Four patterns per class, none in two classes.
    expect([...images.values()].map(({ size }) => size)).toEqual(Array(10).fill(4));
    expect(new Set([...images.values()].flatMap((set) => [...set])).size).toBe(40);
  });

  test('noise has the stated deviation', () => {
    const settings = { samplesPerUser: 200, imageShape: [1, 16, 16] };
    const [noisy, clean] = [2.5, 0].map((noise) => open({ ...settings, noise }).client(5).fields.image!.data);
    const squares = Float64Array.from(noisy!, (value, i) => (value - clean![i]) ** 2).reduce((a, b) => a + b, 0);
    expect(Math.sqrt(squares / noisy!.length)).toBeCloseTo(2.5, 1);
  });

  test('with a spread, the number of images is lognormal, and known without the images', () => {
    const data = open({ samplesPerUser: 40, samplesSpread: 1, imageShape: [1, 2, 2], population: 4000 });
    const logs = Array.from({ length: 4000 }, (_, id) => Math.log(data.expectedWork(id).examples / 40));
    const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
    const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logs.length);
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(deviation - 1)).toBeLessThan(0.05);
    for (const id of [0, 17, 3999]) expect(data.client(id).count).toBe(data.expectedWork(id).examples);
  });

  test('evaluation images are of the same patterns and belong to no user', () => {
    const data = open({ evaluationSamples: 30, samplesPerUser: 30, imageShape: [1, 4, 4] });
    expect(data.evaluation().count).toBe(30);
    expect(data.evaluation()).toBe(data.evaluation());
    expect(data.evaluation().fields.image!.data).not.toEqual(data.client(0).fields.image!.data);
  });
});
