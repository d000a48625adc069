import { describe, expect, test } from '@jest/globals';
import { packTranscriptions, selectExamples } from '../../data/batches.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { DataError } from '../../errors.ts';

const utterance = (features: number[], target: number[]) => ({
  features: Float32Array.from(features),
  target: Int32Array.from(target),
});

const three = packTranscriptions(
  [utterance([1, 2, 3, 4], [5]), utterance([6, 7], [8, 9, 10]), utterance([11, 12, 13, 14, 15, 16], [17, 18])],
  2,
);

describe('packTranscriptions', () => {
  test('pads features and targets to the longest', () => {
    expect(three.count).toBe(3);
    expect(three.fields.features.dims).toEqual([3, 3, 2]);
    expect([...three.fields.features.data]).toEqual([1, 2, 3, 4, 0, 0, 6, 7, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16]);
    expect([...three.fields.lengths.data]).toEqual([2, 1, 3]);
    expect(three.fields.targets.dims).toEqual([3, 3]);
    expect([...three.fields.targets.data]).toEqual([5, 0, 0, 8, 9, 10, 17, 18, 0]);
    expect([...three.fields.target_lengths.data]).toEqual([1, 3, 2]);
  });

  test('refuses no utterances and broken frames', () => {
    expect(() => packTranscriptions([], 2)).toThrow(DataError);
    expect(() => packTranscriptions([utterance([1, 2, 3], [1])], 2)).toThrow(/utterance 0: 3 feature values/);
  });
});

describe('selectExamples', () => {
  test('copies rows in order and cuts padding to the longest selected', () => {
    const batch = selectExamples(three, [1, 0, 1]);
    expect(batch.count).toBe(3);
    expect(batch.fields.features.dims).toEqual([3, 2, 2]);
    expect([...batch.fields.features.data]).toEqual([6, 7, 0, 0, 1, 2, 3, 4, 6, 7, 0, 0]);
    expect([...batch.fields.lengths.data]).toEqual([1, 2, 1]);
    expect(batch.fields.targets.dims).toEqual([3, 3]);
    expect([...selectExamples(three, [0]).fields.targets.data]).toEqual([5]);
  });

  test('gives what packing the chosen utterances alone would give', () => {
    const alone = packTranscriptions([utterance([6, 7], [8, 9, 10])], 2);
    expect(selectExamples(three, [1])).toEqual(alone);
  });

  test('leaves images whole, and the source unchanged', () => {
    const images: ExampleBatch = {
      count: 2,
      fields: {
        image: { type: 'float32', dims: [2, 1, 1, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        label: { type: 'int32', dims: [2], data: Int32Array.of(7, 8) },
      },
    };
    const batch = selectExamples(images, [1]);
    expect(batch.fields.image).toEqual({ type: 'float32', dims: [1, 1, 1, 3], data: Float32Array.of(4, 5, 6) });
    expect([...batch.fields.label.data]).toEqual([8]);
    batch.fields.image.data[0] = 99;
    expect(images.fields.image.data[3]).toBe(4);
  });

  test('refuses an index outside the batch', () => {
    for (const index of [-1, 3, 0.5, Number.NaN]) expect(() => selectExamples(three, [index])).toThrow(DataError);
  });
});
