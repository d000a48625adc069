import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Cifar10 } from '../../data/cifar10.ts';
import { cifar10Config } from '../../data/config.ts';
import { ConfigError, DataError } from '../../errors.ts';
import { dataPath, testWith } from './shared-data.ts';

function open(path: string, settings: object = {}, seed: number | string = 1): Cifar10 {
  return new Cifar10(cifar10Config.parse({ kind: 'cifar10', path, ...settings }), seed);
}

describe('Cifar10 on small files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dpfl-cifar-'));
    writeFileSync(join(folder, 'data_batch_1.bin'), records(0, 12));
    writeFileSync(join(folder, 'data_batch_2.bin'), records(12, 20));
    writeFileSync(join(folder, 'test_batch.bin'), records(20, 23));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Image i has label i mod 10, all red bytes i, all green 100, and blue bytes equal to their row. */
  function records(from: number, to: number): Buffer {
    const images: Buffer[] = [];
    for (let i = from; i < to; i++) {
      const record = Buffer.alloc(3073, 100);
      record[0] = i % 10;
      record.fill(i, 1, 1025);
      for (let pixel = 0; pixel < 1024; pixel++) record[2049 + pixel] = Math.floor(pixel / 32);
      images.push(record);
    }
    return Buffer.concat(images);
  }

  test('planes are red, green, blue, row by row, normalised by channel', () => {
    const { image, label } = open(folder, { samplesPerUser: 5 }).evaluation().fields;
    expect(image.dims).toEqual([3, 3, 32, 32]);
    expect([...label.data]).toEqual([0, 1, 2]);
    const at = (n: number, c: number, y: number, x: number) => image.data[((n * 3 + c) * 32 + y) * 32 + x];
    expect(at(2, 0, 31, 0)).toBeCloseTo((22 / 255 - 0.4914) / 0.247, 5);
    expect(at(0, 1, 7, 9)).toBeCloseTo((100 / 255 - 0.4822) / 0.2435, 5);
    expect(at(1, 2, 17, 3)).toBeCloseTo((17 / 255 - 0.4465) / 0.2616, 5);
  });

  test('every image of every batch file belongs to one user, dealt by the seed', () => {
    const reds = (data: Cifar10) =>
      Array.from({ length: data.population }, (_, id) => {
        const { image } = data.client(id).fields;
        return Array.from({ length: 5 }, (_, n) => Math.abs(Math.round((image.data[n * 3072] * 0.247 + 0.4914) * 255)));
      });
    const data = open(folder, { samplesPerUser: 5 });
    expect(data.population).toBe(4);
    expect(
      reds(data)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(reds(open(folder, { samplesPerUser: 5 }))).toEqual(reds(data));
    expect(reds(open(folder, { samplesPerUser: 5 }, 2))).not.toEqual(reds(data));
    expect(
      reds(open(folder, { samplesPerUser: 5, partition: { kind: 'dirichlet', alpha: 0.5 } }))
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('settings that do not fit the data are refused', () => {
    expect(open(folder, { samplesPerUser: 20, population: 1 }).population).toBe(1);
    expect(() => open(folder, { samplesPerUser: 21 })).toThrow(ConfigError);
    expect(() => open(folder, { samplesPerUser: 21 })).toThrow(/21 is more than the 20 training images/);
    expect(() => open(folder, { samplesPerUser: 5, population: 3 })).toThrow(/3 is fewer than the 4 users/);
    expect(() => open(folder, { samplesPerUser: 5, population: 1000 })).toThrow(/1000 is more than the 4 users/);
    expect(() => open(folder, { samplesPerUser: 5 }).client(4)).toThrow(DataError);
  });

  test('a truncated, corrupt or missing file is refused by name', () => {
    writeFileSync(join(folder, 'data_batch_2.bin'), records(0, 3).subarray(0, 7000));
    expect(() => open(folder)).toThrow(/data_batch_2\.bin: is truncated, 7000 bytes/);
    const bad = records(0, 3);
    bad[3073] = 10;
    writeFileSync(join(folder, 'data_batch_2.bin'), bad);
    expect(() => open(folder)).toThrow(/data_batch_2\.bin: record 1 has label 10/);
    rmSync(join(folder, 'data_batch_2.bin'));
    rmSync(join(folder, 'test_batch.bin'));
    expect(() => open(folder, { samplesPerUser: 5 })).toThrow(/test_batch\.bin: cannot be read/);
    rmSync(join(folder, 'data_batch_1.bin'));
    expect(() => open(folder)).toThrow(/holds no data_batch_/);
    expect(() => open(join(folder, 'nowhere'))).toThrow(DataError);
  });
});

describe('Cifar10 on the real images', () => {
  const path = dataPath('cifar-10-batches-bin');
  testWith(path)('10 000 training images and 2 000 test images, classes balanced', () => {
    const data = open(path);
    expect(data.population).toBe(200);
    const counts = new Int32Array(10);
    for (let id = 0; id < 200; id++) for (const label of data.client(id).fields.label.data) counts[label]++;
    expect([...counts]).toEqual(Array(10).fill(1000));
    const { count, fields } = data.evaluation();
    expect(count).toBe(2000);
    const values = fields.image.data;
    let sum = 0;
    let squares = 0;
    for (const value of values) {
      sum += value;
      squares += value * value;
    }
    expect(Math.abs(sum / values.length)).toBeLessThan(0.05);
    expect(Math.abs(squares / values.length - 1)).toBeLessThan(0.05);
  });

  testWith(path)('neighbouring pixels look alike along both axes: the planes are not scrambled', () => {
    const { image } = open(path).client(0).fields;
    for (const step of [1, 32]) {
      let difference = 0;
      let pairs = 0;
      for (let i = 0; i + step < image.data.length; i++) {
        if ((step === 1 && i % 32 === 31) || (step === 32 && i % 1024 >= 992)) continue;
        difference += (image.data[i] - image.data[i + step]) ** 2;
        pairs++;
      }
      // Unrelated pixels of unit variance would give 2.
      expect(difference / pairs).toBeLessThan(0.25);
    }
  });
});
