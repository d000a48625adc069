import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { NpyArrays } from '../../data/npy-arrays.ts';
import { npyBytes } from './npy-bytes.ts';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

type Parts = Readonly<Record<string, Uint8Array>>;

function folder(train: Parts, test: Parts): string {
  const path = mkdtempSync(join(tmpdir(), 'dpfl-npy-'));
  folders.push(path);
  for (const [part, files] of Object.entries({ train, test })) {
    mkdirSync(join(path, part));
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, part, `${name}.npy`), bytes);
  }
  return path;
}

const open = (path: string, more: { alphabet?: string; population?: number } = {}) =>
  new NpyArrays({ kind: 'npy', path, ...more });

const rows = { x: npyBytes('<f8', [3, 2], [1, 2, 3, 4, 5, 6]), kind: npyBytes('<i8', [3], [7, 8, 9]) };
const held = { x: npyBytes('<f4', [1, 2], [0, 1]), kind: npyBytes('|u1', [1], [3]) };

describe('arrays of any meaning', () => {
  const data = open(folder({ ...rows, user: npyBytes('<i4', [3], [40, -5, 40]) }, held));

  test('belong to users in the order of their numbers', () => {
    expect(data.population).toBe(2);
    expect(data.task).toEqual({
      kind: 'tensors',
      fields: [
        { name: 'kind', dtype: 'int32', shape: [] },
        { name: 'x', dtype: 'float32', shape: [2] },
      ],
    });
    expect(data.client(0)).toEqual({
      count: 1,
      fields: {
        x: { type: 'float32', dims: [1, 2], data: Float32Array.of(3, 4) },
        kind: { type: 'int32', dims: [1], data: Int32Array.of(8) },
      },
    });
    expect(data.client(1).fields.x.data).toEqual(Float32Array.of(1, 2, 5, 6));
    expect(data.expectedWork(1)).toEqual({ examples: 2, pass: 2 });
    expect(data.evaluation().fields.kind.data).toEqual(Int32Array.of(3));
    expect(() => data.client(2)).toThrow(/user 2 does not exist/);
  });
});

test('images with labels are for any classifier', () => {
  const image = (count: number) => npyBytes('<f4', [count, 1, 2, 2], Array<number>(4 * count).fill(0.5));
  const path = folder(
    { image: image(2), label: npyBytes('<i8', [2], [0, 2]), user: npyBytes('<i8', [2], [1, 2]) },
    { image: image(1), label: npyBytes('<i8', [1], [4]) },
  );
  expect(open(path).task).toMatchObject({ kind: 'classification', imageShape: [1, 2, 2] });
  expect(open(path).task).toMatchObject({ classes: { length: 5 } });
  expect(() => open(path, { population: 3 })).toThrow(/data\.population: 3 is more than the 2 users/);
});

test('features with targets and an alphabet are transcriptions', () => {
  const part = {
    features: npyBytes('<f4', [2, 3, 4], Array<number>(24).fill(1)),
    lengths: npyBytes('<i4', [2], [3, 2]),
    targets: npyBytes('<i4', [2, 2], [1, 2, 2, 0]),
    target_lengths: npyBytes('<i4', [2], [2, 1]),
  };
  const path = folder({ ...part, user: npyBytes('<i4', [2], [0, 1]) }, part);
  const data = open(path, { alphabet: 'ab' });
  expect(data.task).toEqual({ kind: 'transcription', alphabet: ['a', 'b'], filters: 4 });
  // Padding goes with the longest utterance of the user.
  expect(data.client(1).fields.features.dims).toEqual([1, 2, 4]);
  expect(data.expectedWork(1)).toEqual({ examples: 1, pass: 2 });
  expect(() => open(path, { alphabet: 'a' })).toThrow(/targets holds 2, which is outside 0 … 1/);
});

describe('what cannot be used is refused with the file', () => {
  const user = npyBytes('<i4', [3], [1, 1, 2]);
  const cases: [string, Parts, Parts, RegExp][] = [
    ['no users', rows, held, /train\/user\.npy: must hold one integer per example/],
    [
      'rows that do not match',
      { ...rows, user: npyBytes('<i4', [2], [1, 2]) },
      held,
      /kind\.npy: has 3 rows where the others have 2/,
    ],
    ['a field that the other part lacks', { ...rows, user }, { x: held.x }, /test\/kind\.npy is missing/],
    [
      'another type',
      { ...rows, user },
      { ...held, kind: npyBytes('<f4', [1], [3]) },
      /kind is int32 \[3\] in train, but float32 \[1\] in test/,
    ],
    [
      'another size',
      { ...rows, user },
      { ...held, x: npyBytes('<f4', [1, 3], [0, 1, 2]) },
      /an example of x is \[2\] in train, but \[3\] in test/,
    ],
    ['a file of something else', { ...rows, user, junk: Buffer.from('junk') }, held, /junk\.npy: is not a \.npy file/],
    [
      'integers beyond 32 bits',
      { ...rows, user: npyBytes('<i8', [3], [1, 2, 2 ** 40]) },
      held,
      /user\.npy: 1099511627776 does not fit 32 bits/,
    ],
    [
      'columns first',
      { ...rows, user, x: npyBytes('<f8', [3, 2], [1, 2, 3, 4, 5, 6], true) },
      held,
      /x\.npy: is stored in Fortran order/,
    ],
    ['a file cut off', { ...rows, user, x: rows.x.subarray(0, rows.x.length - 8) }, held, /x\.npy: /],
    ['nothing', {}, {}, /train: holds no \.npy files/],
  ];

  test.each(cases)('%s', (_, train, held, message) => {
    expect(() => open(folder(train, held))).toThrow(message);
  });

  test('a folder that is not there', () => {
    expect(() => open('/nowhere')).toThrow(/train: cannot be listed; data\.path must hold train\/ and test\//);
  });
});
