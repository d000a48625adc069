import { describe, expect, test } from '@jest/globals';
import { learningRateSchedule } from '../../server/schedules.ts';

describe('learningRateSchedule', () => {
  test('constant', () => {
    const schedule = learningRateSchedule(0.5, { kind: 'constant' });
    expect([1, 2, 10_000].map(schedule)).toEqual([0.5, 0.5, 0.5]);
  });

  test('decay 0.6 every 750 steps from step 750', () => {
    const schedule = learningRateSchedule(2, { kind: 'exponential-decay', start: 750, every: 750, factor: 0.6 });
    expect(schedule(1)).toBe(2);
    expect(schedule(749)).toBe(2);
    expect(schedule(750)).toBeCloseTo(1.2, 14);
    expect(schedule(1499)).toBeCloseTo(1.2, 14);
    expect(schedule(1500)).toBeCloseTo(0.72, 14);
    expect(schedule(2250)).toBeCloseTo(0.432, 14);
  });

  test('start and every may differ: decay every 500 from 1000', () => {
    const schedule = learningRateSchedule(1, { kind: 'exponential-decay', start: 1000, every: 500, factor: 0.5 });
    expect([999, 1000, 1499, 1500, 2000].map(schedule)).toEqual([1, 0.5, 0.5, 0.25, 0.125]);
  });
});
