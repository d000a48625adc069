import { describe, expect, test } from '@jest/globals';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatEpsilon,
  formatMetric,
  metricOf,
  roundUp,
  significant,
} from '../../report/format.ts';

describe('bytes', () => {
  test.each([
    [0, '0 B'],
    [312, '312 B'],
    [1024, '1 KiB'],
    [8094, '7.9 KiB'],
    [2 ** 20, '1 MiB'],
    [5 * 2 ** 40, '5120 GiB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('numbers as text', () => {
  test.each([
    [7.226, '7.3'],
    [7.2, '7.2'],
    [0.7485, '0.75'],
    [0.10498, '0.11'],
    [41.98, '42'],
    [9.96, '10'],
    [7, '7.0'],
    [0, '0'],
    [99.9, '100'],
    [364.1, '365'],
    [999999.5, '1.0e6'],
    [1092000, '1.1e6'],
    [Number.POSITIVE_INFINITY, '∞'],
  ])('epsilon %d is %s', (value, text) => expect(formatEpsilon(value)).toBe(text));

  test('a printed epsilon is never below the true one, and at most one unit of the last digit above', () => {
    for (let i = 0; i < 2000; i++) {
      const value = 10 ** (-4 + (12 * i) / 2000);
      expect(Number(formatEpsilon(value))).toBeGreaterThanOrEqual(value * (1 - 1e-12));
      expect(roundUp(value, 4)).toBeGreaterThanOrEqual(value * (1 - 1e-12));
      expect(roundUp(value, 4)).toBeLessThanOrEqual(value * 1.0010001);
    }
  });

  test.each([
    [0.6144, 4, '0.6144'],
    [12345.678, 4, '12346'],
    [0.002946511, 3, '0.00295'],
    [3e-6, 4, '3e-6'],
    [-1.5, 4, '-1.5'],
    [0, 4, '0'],
    [1e-9, 4, '1e-9'],
  ])('%d with %i digits is %s', (value, digits, text) => expect(significant(value, digits)).toBe(text));

  test.each([
    [800, '800'],
    [1234, '1,234'],
    [69506000, '69,506,000'],
  ])('count %d is %s', (value, text) => expect(formatCount(value)).toBe(text));

  test.each([
    [0.84, '0.8 s'],
    [42.4, '42 s'],
    [185, '3 min 05 s'],
    [7620, '2 h 07 min'],
    [59.7, '1 min 00 s'],
  ])('%d seconds are %s', (value, text) => expect(formatDuration(value)).toBe(text));
});

test('the metric follows the task', () => {
  const speech = { examples: 1, loss: 2, wer: 0.5, cer: 0.1 };
  const images = { examples: 1, loss: 2, accuracy: 0.25 };
  const other = { examples: 1, loss: 2.3456 };
  expect([speech, images, other].map((each) => formatMetric(metricOf(each), each))).toEqual([
    '50.0 %',
    '25.0 %',
    '2.346',
  ]);
  expect(formatMetric(metricOf(speech), other)).toBe('–');
});
